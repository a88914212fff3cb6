// The embedded demo: two small ViTs and their test images (scripts/demo/README.md says how they were made).

#ifndef VITPATCH_CDEMO_H
#define VITPATCH_CDEMO_H

#include <stddef.h>
#include <stdint.h>

/// The bytes of one file of Demo/, and their number in `count`; NULL and 0 if there is no such file.
///
/// The bytes are read-only, 64-byte aligned, and live as long as the program. `path` is one of
/// colour/config.json, colour/model.safetensors, colour/preprocessor_config.json, the same three under gray/,
/// and images.safetensors (`images` U8 [240, 32, 32, 3], `labels` I64 [240], and in `__metadata__` the JSON lists
/// `classes`, names by label, and `ids`).
const uint8_t *_Nullable vitpatch_demo_file(const char *_Nonnull path, size_t *_Nonnull count);

#endif
