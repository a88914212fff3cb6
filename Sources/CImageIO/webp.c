#include "CImageIO.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

static bool fail(char *error, const char *reason) {
    snprintf(error, CIMAGE_ERROR_SIZE, "%s", reason);
    return false;
}

bool cimage_webp_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error) {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(data, count, &features) != VP8_STATUS_OK) return fail(error, "its WebP header is damaged");
    *width = (uint32_t)features.width;
    *height = (uint32_t)features.height;
    return true;
}

bool cimage_webp_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error) {
    WebPAnimDecoderOptions options;
    WebPData bytes = {data, count};
    WebPAnimInfo info;
    if (!WebPAnimDecoderOptionsInit(&options)) return fail(error, "libwebp has another version than its header");
    options.color_mode = MODE_RGBA;
    options.use_threads = 0;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&bytes, &options);
    if (!decoder) return fail(error, "its WebP data is damaged or ends early");
    uint8_t *rgba = NULL;
    int time = 0;
    bool read = WebPAnimDecoderGetInfo(decoder, &info) && info.canvas_width == width && info.canvas_height == height
                && WebPAnimDecoderGetNext(decoder, &rgba, &time);
    if (read)
        for (size_t i = 0, n = (size_t)width * height; i < n; i++) memcpy(rgb + 3 * i, rgba + 4 * i, 3);
    WebPAnimDecoderDelete(decoder);
    return read || fail(error, "its WebP data is damaged or ends early");
}
