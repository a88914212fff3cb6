// Decodes image files to 8-bit RGB with libpng, libjpeg-turbo, libwebp, giflib and libtiff, and encodes PNG. setjmp is
// not visible to callers.
//
// A function that fails returns false and writes one zero-terminated reason to `error`.
#ifndef CIMAGEIO_H
#define CIMAGEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CIMAGE_ERROR_SIZE 256

/// Reads the header only.
bool cimage_png_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error);
bool cimage_jpeg_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error);
bool cimage_webp_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error);
bool cimage_gif_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error);
/// `orientation`: EXIF's, 1 to 8
bool cimage_tiff_size(
    const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, uint16_t *orientation, char *error);

/// Decodes to `rgb`, [height, width, 3]; width and height must be those of the header.
bool cimage_png_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error);
bool cimage_jpeg_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error);
/// The first frame on its canvas, alpha dropped
bool cimage_webp_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error);
/// The first image on its screen; uncovered pixels have the transparent colour, or the first one
bool cimage_gif_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error);
/// The first page, with `orientation` not applied. `saturates`: gray of more than 8 bits, cut at 255
bool cimage_tiff_rgb(
    const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, bool *saturates, char *error);

/// The size limit of an encoded PNG, bytes.
size_t cimage_png_bound(uint32_t width, uint32_t height);
/// Encodes `rgb`, [height, width, 3], to `png`, which has room for `*count` bytes; sets `*count` to those written.
bool cimage_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *png, size_t *count, char *error);

/// Bytes in a file, or -1.
int64_t cimage_file_size(const char *path, char *error);
/// Reads exactly `count` bytes from byte `offset` on.
bool cimage_file_read(const char *path, int64_t offset, uint8_t *bytes, size_t count, char *error);

#endif
