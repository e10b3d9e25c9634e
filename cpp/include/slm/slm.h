#pragma once
/// slm: train and run small byte-level language models. Include this one header.
#include "slm/byte_set.h"
#include "slm/config.h"
#include "slm/documents.h"
#include "slm/error.h"
#include "slm/generator.h"
#include "slm/model.h"
#include "slm/text.h"
#include "slm/trainer.h"
#include "slm/version.h"
