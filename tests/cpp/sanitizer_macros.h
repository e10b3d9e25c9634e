#pragma once
// SLM_ASAN and SLM_TSAN: which sanitizer this is compiled with. GCC has macros for it, Clang
// features.
#if defined(__has_feature)
#define SLM_HAS_FEATURE(name) __has_feature(name)
#else
#define SLM_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SLM_HAS_FEATURE(address_sanitizer)
#define SLM_ASAN 1
#else
#define SLM_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || SLM_HAS_FEATURE(thread_sanitizer)
#define SLM_TSAN 1
#else
#define SLM_TSAN 0
#endif
