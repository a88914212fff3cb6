#include "CImageIO.h"

#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>

// A progressive file may hold any number of empty scans, each of which costs a pass over the image.
#define MAX_SCANS 500

typedef struct {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    char *message;
} Reader;

static void fail(j_common_ptr info) {
    Reader *reader = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    snprintf(reader->message, CIMAGE_ERROR_SIZE, "%s", text);
    longjmp(reader->back, 1);
}

// libjpeg goes on after a warning and fills what it could not decode with gray; only the harmless ones pass.
static void warn(j_common_ptr info, int level) {
    if (level >= 0) return;
    switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_ICC:
        return;
    default:
        fail(info);
    }
}

static void silent(j_common_ptr info) { (void)info; }

static void count_scans(j_common_ptr info) {
    Reader *reader = info->client_data;
    if (reader->info.input_scan_number <= MAX_SCANS) return;
    snprintf(reader->message, CIMAGE_ERROR_SIZE, "more than %d scans", MAX_SCANS);
    longjmp(reader->back, 1);
}

static void start(Reader *reader, const uint8_t *data, size_t count) {
    jpeg_create_decompress(&reader->info);
    reader->progress.progress_monitor = count_scans;
    reader->info.progress = &reader->progress;
    jpeg_mem_src(&reader->info, data, count);
    jpeg_read_header(&reader->info, TRUE);
}

static void prepare(Reader *reader, char *error) {
    reader->message = error;
    reader->info.err = jpeg_std_error(&reader->errors);
    reader->errors.error_exit = fail;
    reader->errors.emit_message = warn;
    reader->errors.output_message = silent;
    reader->info.client_data = reader;
}

bool cimage_jpeg_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error) {
    Reader reader = {0};
    prepare(&reader, error);
    if (setjmp(reader.back)) {
        jpeg_destroy_decompress(&reader.info);
        return false;
    }
    start(&reader, data, count);
    *width = reader.info.image_width;
    *height = reader.info.image_height;
    jpeg_destroy_decompress(&reader.info);
    return true;
}

// a * b / 255, rounded, for 0 <= a, b <= 255
static inline int scaled(int a, int b) {
    int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

// Adobe stores CMYK inverted, so a sample is 255 - ink: R = K' - K' C / 255 with K' = 255 - K.
static void rgb_of_inverted_cmyk(const uint8_t *cmyk, uint8_t *rgb, uint32_t width) {
    for (uint32_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        int k = cmyk[3];
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(k - scaled(255 - cmyk[c], k));
    }
}

bool cimage_jpeg_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error) {
    Reader reader = {0};
    prepare(&reader, error);
    if (setjmp(reader.back)) {
        jpeg_destroy_decompress(&reader.info);
        return false;
    }
    start(&reader, data, count);
    struct jpeg_decompress_struct *info = &reader.info;
    bool cmyk = info->num_components == 4;
    info->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(info);
    if (info->output_width != width || info->output_height != height || info->output_components != (cmyk ? 4 : 3)) {
        snprintf(error, CIMAGE_ERROR_SIZE, "its size changed while it was read");
        jpeg_destroy_decompress(info);
        return false;
    }
    JSAMPROW row = NULL;
    if (cmyk) row = info->mem->alloc_large((j_common_ptr)info, JPOOL_IMAGE, (size_t)width * 4);
    while (info->output_scanline < height) {
        uint8_t *line = rgb + (size_t)info->output_scanline * width * 3;
        JSAMPROW target = cmyk ? row : line;
        if (jpeg_read_scanlines(info, &target, 1) != 1) {
            snprintf(error, CIMAGE_ERROR_SIZE, "it ends early");
            jpeg_destroy_decompress(info);
            return false;
        }
        if (cmyk) rgb_of_inverted_cmyk(row, line, width);
    }
    jpeg_finish_decompress(info);  // reads up to the end marker
    jpeg_destroy_decompress(info);
    return true;
}
