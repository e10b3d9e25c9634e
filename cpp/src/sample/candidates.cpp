#include "sample/candidates.h"

#include <cmath>

#include "slm/error.h"
#include "text/documents.h"

namespace slm {

Candidates find_candidates(const Net& model, const SampleOptions& options) {
  const ByteSet allowed = allowed_bytes(options, model.seen_bytes);
  const auto is_banned = [&](uint8_t symbol) {
    const auto bias = options.logit_bias.find(symbol);
    return bias != options.logit_bias.end() && std::isinf(bias->second);
  };
  Candidates candidates{allowed, {}};
  if (model.config.documents) {
    for (const uint8_t byte : {kEscapeByte, kEndByte}) {
      if (allowed.has(byte)) candidates.after_escape.add(byte);
      candidates.anywhere.remove(byte);
    }
    if (!candidates.after_escape.empty() && !is_banned(kEscapeByte))
      candidates.anywhere.add(kEscapeByte);
    if (!options.ignore_end && !is_banned(kEndByte)) candidates.anywhere.add(kEndByte);
  }
  if (candidates.anywhere.empty())
    throw Error(ErrorKind::config,
                "no byte is left to be sampled: logit_bias bans all bytes that are allowed");
  return candidates;
}

}  // namespace slm
