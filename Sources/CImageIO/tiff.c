#include "CImageIO.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

// A tile or strip takes at most so many bytes.
#define MAX_BLOCK ((tmsize_t)1 << 30)
#define MAX_SAMPLES 6

typedef struct {
    const uint8_t *data;
    size_t count;
    size_t position;
    char *message;
} Reader;

static bool fail(char *error, const char *reason) {
    snprintf(error, CIMAGE_ERROR_SIZE, "%s", reason);
    return false;
}

// libtiff's own message, where there is one.
static bool fail_or(char *error, const char *reason) { return error[0] ? false : fail(error, reason); }

// MARK: libtiff over memory

// The first message of a file is kept; `handle` is the Reader that it was opened with.
static void on_error(thandle_t handle, const char *module, const char *format, va_list values) {
    (void)module;
    Reader *reader = handle;
    if (reader && !reader->message[0]) vsnprintf(reader->message, CIMAGE_ERROR_SIZE, format, values);
}

// libtiff goes on without a tag that it could not read; most other warnings are harmless.
static void on_warning(thandle_t handle, const char *module, const char *format, va_list values) {
    if (strstr(format, "IO error")) on_error(handle, module, format, values);
}

static void set_handlers(void) {
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    TIFFSetWarningHandlerExt(on_warning);
    TIFFSetErrorHandlerExt(on_error);
}

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t count) {
    Reader *reader = handle;
    // Past the end there is nothing, which is no error: for -1, libtiff 4.5 writes in front of its buffer.
    if (count < 0 || reader->position > reader->count) return 0;
    size_t left = reader->count - reader->position, read = (size_t)count < left ? (size_t)count : left;
    memcpy(out, reader->data + reader->position, read);
    reader->position += read;
    return (tmsize_t)read;
}

static tmsize_t write_bytes(thandle_t handle, void *bytes, tmsize_t count) {
    (void)handle, (void)bytes, (void)count;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int from) {
    Reader *reader = handle;
    size_t start = from == SEEK_SET ? 0 : from == SEEK_CUR ? reader->position : reader->count;
    if (offset > (toff_t)(SIZE_MAX - start)) return (toff_t)-1;
    reader->position = start + (size_t)offset;
    return reader->position;
}

static int close_file(thandle_t handle) { return (void)handle, 0; }
static toff_t file_size(thandle_t handle) { return ((Reader *)handle)->count; }

static TIFF *open_tiff(Reader *reader) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_handlers);
    reader->message[0] = 0;
    // m: not mapped; h: the header only comes with the first directory, which is read
    TIFF *tiff = TIFFClientOpen("image", "rm", reader, read_bytes, write_bytes, seek, close_file, file_size, NULL, NULL);
    if (tiff && !reader->message[0]) return tiff;
    if (tiff) TIFFClose(tiff);
    fail_or(reader->message, "its TIFF header is damaged");
    return NULL;
}

// MARK: What is in the file

typedef struct {
    uint16_t photometric, compression, bits, samples, format, planar, extra;
    bool associated, saturates;
    uint16_t *red, *green, *blue;
} Layout;

// Whether it is one of the layouts that are read: those of Pillow's table.
static bool read_layout(TIFF *tiff, Layout *layout, char *error) {
    uint16_t *kinds = NULL;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout->compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout->samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &layout->format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &layout->planar);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &layout->extra, &kinds);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout->photometric)) layout->photometric = PHOTOMETRIC_MINISWHITE;
    layout->associated = layout->extra > 0 && kinds && kinds[0] == EXTRASAMPLE_ASSOCALPHA;

    uint16_t colours = 1;
    bool fits = true;
    switch (layout->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK: {
        bool integer = layout->format == SAMPLEFORMAT_UINT && layout->bits <= 16;
        // Pillow reads 12 bits of this one kind.
        if (layout->bits == 12)
            integer = integer && layout->photometric == PHOTOMETRIC_MINISBLACK && layout->samples == 1 && !TIFFIsBigEndian(tiff);
        bool wide = layout->bits == 32 || (layout->bits == 16 && layout->format == SAMPLEFORMAT_INT);
        fits = integer || (wide && layout->format <= SAMPLEFORMAT_IEEEFP);
        layout->saturates = layout->bits > 8;
        break;
    }
    case PHOTOMETRIC_PALETTE:
        fits = layout->bits <= 8 && TIFFGetField(tiff, TIFFTAG_COLORMAP, &layout->red, &layout->green, &layout->blue);
        break;
    case PHOTOMETRIC_RGB: colours = 3; break;
    case PHOTOMETRIC_SEPARATED: colours = 4; break;
    case PHOTOMETRIC_YCBCR:
        colours = 3;
        if (layout->compression == COMPRESSION_JPEG && layout->planar == PLANARCONFIG_CONTIG) break;
        return fail(error, "TIFF's YCbCr is read in JPEG compression only");
    default:
        snprintf(
            error, CIMAGE_ERROR_SIZE, "TIFF's photometric interpretation %u is not supported", layout->photometric);
        return false;
    }
    if (colours > 1) fits = (layout->bits == 8 || layout->bits == 16) && layout->format == SAMPLEFORMAT_UINT;
    bool whole = layout->bits == 1 || layout->bits == 2 || layout->bits == 4 || layout->bits == 12 || layout->bits % 8 == 0;
    if (fits && whole && layout->samples >= colours && layout->samples <= MAX_SAMPLES) return true;
    snprintf(
        error, CIMAGE_ERROR_SIZE, "%u samples of %u bits with TIFF's photometric interpretation %u are not supported",
        layout->samples, layout->bits, layout->photometric);
    return false;
}

// MARK: Samples to bytes

static uint8_t clipped(double value) { return value >= 255 ? 255 : value > 0 ? (uint8_t)value : 0; }

// Sample i of a row, as a byte: gray of more than 8 bits is cut at 255, colours keep their high byte.
static uint8_t sample(const uint8_t *row, size_t i, const Layout *layout) {
    switch (layout->bits) {
    case 8: return row[i];
    case 16: {
        uint16_t value;
        memcpy(&value, row + 2 * i, 2);
        if (!layout->saturates) return value >> 8;
        return layout->format == SAMPLEFORMAT_INT ? clipped((int16_t)value) : value > 255 ? 255 : (uint8_t)value;
    }
    case 12: {
        unsigned pair = (unsigned)row[i * 12 / 8] << 8 | row[i * 12 / 8 + 1], value = i % 2 ? pair & 0xfff : pair >> 4;
        return value > 255 ? 255 : (uint8_t)value;
    }
    case 32: {
        if (layout->format == SAMPLEFORMAT_IEEEFP) {
            float value;
            memcpy(&value, row + 4 * i, 4);
            return clipped(value);
        }
        int32_t value;
        memcpy(&value, row + 4 * i, 4);
        return clipped(value);
    }
    default: {
        unsigned bits = layout->bits, most = (1u << bits) - 1;
        size_t at = i * bits;
        uint8_t value = (row[at / 8] >> (8 - bits - at % 8)) & most;
        return layout->photometric == PHOTOMETRIC_PALETTE ? value : (uint8_t)(value * (255 / most));
    }
    }
}

static uint8_t unmultiplied(uint8_t value, uint8_t alpha) {
    if (!alpha) return 0;
    unsigned whole = value * 255u / alpha;
    return whole > 255 ? 255 : (uint8_t)whole;
}

// a * b / 255, rounded, for 0 <= a, b <= 255
static uint8_t scaled(int a, int b) {
    int product = a * b + 128;
    return (uint8_t)(((product >> 8) + product) >> 8);
}

static void pixel(const uint8_t *s, const Layout *layout, uint8_t *rgb) {
    switch (layout->photometric) {
    case PHOTOMETRIC_PALETTE:
        rgb[0] = layout->red[s[0]] >> 8;
        rgb[1] = layout->green[s[0]] >> 8;
        rgb[2] = layout->blue[s[0]] >> 8;
        return;
    case PHOTOMETRIC_SEPARATED:
        for (int c = 0; c < 3; c++) {
            int rest = 255 - s[3], value = rest - scaled(s[c], rest);
            rgb[c] = (uint8_t)(value < 0 ? 0 : value);
        }
        return;
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR:  // which libjpeg has made RGB
        for (int c = 0; c < 3; c++) rgb[c] = layout->associated ? unmultiplied(s[c], s[3]) : s[c];
        return;
    default: {
        uint8_t gray = layout->associated ? unmultiplied(s[0], s[1]) : s[0];
        if (layout->photometric == PHOTOMETRIC_MINISWHITE && !layout->saturates) gray = 255 - gray;
        memset(rgb, gray, 3);
    }
    }
}

// MARK: Reading

// Strips and tiles alike: a block of `across` x `down` pixels, some of which may lie outside the image.
static bool read_blocks(TIFF *tiff, const Layout *layout, uint32_t width, uint32_t height, uint8_t *samples, char *error) {
    bool tiled = TIFFIsTiled(tiff);
    uint32_t across = width, down = height;
    if (tiled) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &across);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &down);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &down);
    }
    if (!across || !down) return fail(error, "its blocks are empty");
    if (!tiled && down > height) down = height;
    tmsize_t size = tiled ? TIFFTileSize(tiff) : TIFFStripSize(tiff), row = tiled ? TIFFTileRowSize(tiff) : TIFFScanlineSize(tiff);
    if (size <= 0 || row <= 0 || size > MAX_BLOCK) return fail(error, "its blocks have no size that is read");
    bool separate = layout->planar == PLANARCONFIG_SEPARATE;
    size_t channels = layout->samples, inBlock = separate ? 1 : channels;
    if ((uint64_t)row * 8 < (uint64_t)across * inBlock * layout->bits || (uint64_t)row * down > (uint64_t)size)
        return fail(error, "its rows have an unexpected size");
    uint8_t *block = malloc((size_t)size);
    if (!block) return fail(error, "out of memory");
    bool read = true;
    for (size_t plane = 0; read && plane < (separate ? channels : 1); plane++)
        for (uint32_t y0 = 0; read && y0 < height; y0 += down)
            for (uint32_t x0 = 0; read && x0 < width; x0 += across) {
                uint32_t rows = height - y0 < down ? height - y0 : down, columns = width - x0 < across ? width - x0 : across;
                tmsize_t wanted = tiled ? size : row * (tmsize_t)rows;
                tmsize_t got =
                    tiled ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x0, y0, 0, (uint16_t)plane), block, size)
                          : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y0, (uint16_t)plane), block, wanted);
                read = got == wanted;
                for (uint32_t y = 0; read && y < rows; y++)
                    for (size_t x = 0; x < columns; x++)
                        for (size_t s = 0; s < inBlock; s++)
                            samples[(((size_t)y0 + y) * width + x0 + x) * channels + plane + s] =
                                sample(block + (size_t)row * y, x * inBlock + s, layout);
            }
    free(block);
    return read || fail_or(error, "it ends early");
}

bool cimage_tiff_size(
    const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, uint16_t *orientation, char *error) {
    Reader reader = {data, count, 0, error};
    TIFF *tiff = open_tiff(&reader);
    if (!tiff) return false;
    bool found = TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, width) && TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, height);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, orientation);
    TIFFClose(tiff);
    return found || fail_or(error, "it lacks its size");
}

bool cimage_tiff_rgb(
    const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, bool *saturates, char *error) {
    Reader reader = {data, count, 0, error};
    TIFF *tiff = open_tiff(&reader);
    if (!tiff) return false;
    Layout layout = {0};
    bool read = read_layout(tiff, &layout, error);
    if (read && layout.photometric == PHOTOMETRIC_YCBCR) TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (read) {
        size_t pixels = (size_t)width * height;
        uint8_t *samples = malloc(pixels * layout.samples);
        read = samples ? read_blocks(tiff, &layout, width, height, samples, error) : fail(error, "out of memory");
        for (size_t i = 0; read && i < pixels; i++) pixel(samples + i * layout.samples, &layout, rgb + 3 * i);
        free(samples);
    }
    *saturates = layout.saturates;
    TIFFClose(tiff);
    return read;
}
