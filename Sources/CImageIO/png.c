#include "CImageIO.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <png.h>

typedef struct {
    const uint8_t *data;
    size_t count;
    size_t position;
    char *message;
} Reader;

static void fail(png_structp png, png_const_charp message) {
    Reader *reader = png_get_error_ptr(png);
    snprintf(reader->message, CIMAGE_ERROR_SIZE, "%s", message);
    png_longjmp(png, 1);
}

static void silent(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep out, size_t count) {
    Reader *reader = png_get_io_ptr(png);
    if (count > reader->count - reader->position) png_error(png, "it ends early");
    memcpy(out, reader->data + reader->position, count);
    reader->position += count;
}

static png_structp create(Reader *reader, png_infop *info) {
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, fail, silent);
    if (png) *info = png_create_info_struct(png);
    if (png && *info) return png;
    snprintf(reader->message, CIMAGE_ERROR_SIZE, "out of memory");
    png_destroy_read_struct(&png, info, NULL);
    return NULL;
}

static void start(png_structp png, png_infop info, Reader *reader) {
    png_set_read_fn(png, reader, read_bytes);
    // Pixels depend on IHDR, PLTE and IDAT alone; gamma, profiles, transparency and text are skipped unread.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep) "tRNS", 1);
    png_read_info(png, info);
}

bool cimage_png_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error) {
    Reader reader = {data, count, 0, error};
    png_infop info = NULL;
    png_structp png = create(&reader, &info);
    if (!png) return false;
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        return false;
    }
    start(png, info, &reader);
    *width = png_get_image_width(png, info);
    *height = png_get_image_height(png, info);
    png_destroy_read_struct(&png, &info, NULL);
    return true;
}

// 16-bit gray [width] at the start of the row to [width, 3]; above 255 saturates, as Pillow's I;16 does.
static void rgb_of_gray16(uint8_t *row, uint32_t width) {
    for (size_t x = width; x-- > 0;) {
        uint8_t value = row[2 * x] ? 255 : row[2 * x + 1];
        row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = value;
    }
}

bool cimage_png_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error) {
    Reader reader = {data, count, 0, error};
    png_infop info = NULL;
    png_structp png = create(&reader, &info);
    if (!png) return false;
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        return false;
    }
    start(png, info, &reader);
    int color = png_get_color_type(png, info);
    bool gray16 = color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16;
    if (!gray16) {
        png_set_strip_16(png);  // the high byte
        png_set_expand(png);    // palette to RGB, 1, 2 and 4 bits to 8
        png_set_strip_alpha(png);
        png_set_gray_to_rgb(png);
    }
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_image_width(png, info) != width || png_get_image_height(png, info) != height
        || png_get_rowbytes(png, info) != (size_t)width * (gray16 ? 2 : 3))
        png_error(png, "its rows have an unexpected size");
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < height; y++) png_read_row(png, rgb + y * width * 3, NULL);
    png_read_end(png, NULL);
    if (gray16)
        for (size_t y = 0; y < height; y++) rgb_of_gray16(rgb + y * width * 3, width);
    png_destroy_read_struct(&png, &info, NULL);
    return true;
}

static png_image rgb_image(uint32_t width, uint32_t height) {
    return (png_image){.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};
}

size_t cimage_png_bound(uint32_t width, uint32_t height) {
    png_image image = rgb_image(width, height);
    return PNG_IMAGE_PNG_SIZE_MAX(image);
}

bool cimage_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *png, size_t *count, char *error) {
    png_image image = rgb_image(width, height);
    png_alloc_size_t size = *count;
    if (png_image_write_to_memory(&image, png, &size, 0, rgb, 0, NULL)) {
        *count = size;
        return true;
    }
    // Without a message the room was too small.
    snprintf(error, CIMAGE_ERROR_SIZE, "%s", image.message[0] ? image.message : "it needs more room");
    png_image_free(&image);
    return false;
}
