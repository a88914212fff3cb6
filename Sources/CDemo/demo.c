#include "CDemo.h"

#include <string.h>

#define EMBEDDED(name) extern const uint8_t vitpatch_demo_##name[], vitpatch_demo_##name##_end[]

EMBEDDED(colour_config);
EMBEDDED(colour_preprocessor);
EMBEDDED(colour_weights);
EMBEDDED(gray_config);
EMBEDDED(gray_preprocessor);
EMBEDDED(gray_weights);
EMBEDDED(images);

#define ENTRY(path, name) {path, vitpatch_demo_##name, vitpatch_demo_##name##_end}

static const struct {
    const char *path;
    const uint8_t *start, *end;
} files[] = {
    ENTRY("colour/config.json", colour_config),
    ENTRY("colour/model.safetensors", colour_weights),
    ENTRY("colour/preprocessor_config.json", colour_preprocessor),
    ENTRY("gray/config.json", gray_config),
    ENTRY("gray/model.safetensors", gray_weights),
    ENTRY("gray/preprocessor_config.json", gray_preprocessor),
    ENTRY("images.safetensors", images),
};

const uint8_t *vitpatch_demo_file(const char *path, size_t *count) {
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (strcmp(path, files[i].path) == 0) {
            *count = (size_t)(files[i].end - files[i].start);
            return files[i].start;
        }
    }
    *count = 0;
    return NULL;
}
