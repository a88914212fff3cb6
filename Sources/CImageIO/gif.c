#include "CImageIO.h"

#include <gif_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const uint8_t *data;
    size_t count;
    size_t position;
} Reader;

static bool fail(char *error, const char *reason) {
    snprintf(error, CIMAGE_ERROR_SIZE, "%s", reason ? reason : "its GIF data is damaged");
    return false;
}

static int read_bytes(GifFileType *gif, GifByteType *out, int count) {
    Reader *reader = gif->UserData;
    size_t left = reader->count - reader->position;
    size_t read = count < 0 ? 0 : (size_t)count < left ? (size_t)count : left;
    memcpy(out, reader->data + reader->position, read);
    reader->position += read;
    return (int)read;
}

// Opens the file and reads on to the description of its first image. `transparent` becomes that colour's index, or 0.
static GifFileType *open_first(Reader *reader, int *transparent, char *error) {
    int code = 0;
    *transparent = 0;
    GifFileType *gif = DGifOpen(reader, read_bytes, &code);
    if (!gif) {
        fail(error, GifErrorString(code));
        return NULL;
    }
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (DGifGetRecordType(gif, &record) == GIF_OK) {
        if (record == IMAGE_DESC_RECORD_TYPE) {
            if (DGifGetImageDesc(gif) == GIF_OK) return gif;
            break;
        }
        GifByteType *block = NULL;
        int kind = 0;
        if (record != EXTENSION_RECORD_TYPE || DGifGetExtension(gif, &kind, &block) != GIF_OK) break;
        if (kind == GRAPHICS_EXT_FUNC_CODE && block && block[0] >= 4 && (block[1] & 1)) *transparent = block[4];
        while (block && DGifGetExtensionNext(gif, &block) == GIF_OK) {}
        if (block) break;
    }
    fail(error, record == TERMINATE_RECORD_TYPE ? "it holds no image" : GifErrorString(gif->Error));
    DGifCloseFile(gif, &code);
    return NULL;
}

// The screen, made larger where the first image goes beyond it.
static void size_of(const GifFileType *gif, uint32_t *width, uint32_t *height) {
    uint32_t right = (uint32_t)gif->Image.Left + (uint32_t)gif->Image.Width;
    uint32_t bottom = (uint32_t)gif->Image.Top + (uint32_t)gif->Image.Height;
    *width = right > (uint32_t)gif->SWidth ? right : (uint32_t)gif->SWidth;
    *height = bottom > (uint32_t)gif->SHeight ? bottom : (uint32_t)gif->SHeight;
}

bool cimage_gif_size(const uint8_t *data, size_t count, uint32_t *width, uint32_t *height, char *error) {
    Reader reader = {data, count, 0};
    int transparent, code;
    GifFileType *gif = open_first(&reader, &transparent, error);
    if (!gif) return false;
    size_of(gif, width, height);
    DGifCloseFile(gif, &code);
    return true;
}

// Colours beyond the palette are black; without a palette an index is its gray.
static void fill_palette(const ColorMapObject *map, uint8_t palette[256][3]) {
    for (int i = 0; i < 256; i++) {
        if (!map) memset(palette[i], i, 3);
        if (!map || i >= map->ColorCount) continue;
        palette[i][0] = map->Colors[i].Red;
        palette[i][1] = map->Colors[i].Green;
        palette[i][2] = map->Colors[i].Blue;
    }
}

static bool read_lines(GifFileType *gif, uint8_t *line, const uint8_t palette[256][3], uint32_t width, uint8_t *rgb) {
    static const int first[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
    GifImageDesc image = gif->Image;
    for (int pass = 0; pass < (image.Interlace ? 4 : 1); pass++) {
        int by = image.Interlace ? step[pass] : 1;
        for (int y = image.Interlace ? first[pass] : 0; y < image.Height; y += by) {
            if (DGifGetLine(gif, line, image.Width) != GIF_OK) return false;
            uint8_t *out = rgb + ((size_t)(image.Top + y) * width + (size_t)image.Left) * 3;
            for (int x = 0; x < image.Width; x++) memcpy(out + 3 * x, palette[line[x]], 3);
        }
    }
    return true;
}

bool cimage_gif_rgb(const uint8_t *data, size_t count, uint32_t width, uint32_t height, uint8_t *rgb, char *error) {
    Reader reader = {data, count, 0};
    int transparent, code;
    GifFileType *gif = open_first(&reader, &transparent, error);
    if (!gif) return false;
    uint32_t w, h;
    size_of(gif, &w, &h);
    uint8_t palette[256][3] = {{0}};
    fill_palette(gif->Image.ColorMap ? gif->Image.ColorMap : gif->SColorMap, palette);
    uint8_t *line = malloc((size_t)width);
    bool read = false;
    if (!line || w != width || h != height || gif->Image.Width < 1 || gif->Image.Height < 1) {
        fail(error, line ? "its first image is empty" : "out of memory");
    } else {
        for (size_t i = 0, n = (size_t)width * height; i < n; i++) memcpy(rgb + 3 * i, palette[transparent], 3);
        read = read_lines(gif, line, palette, width, rgb);
        if (!read) fail(error, GifErrorString(gif->Error));
    }
    free(line);
    DGifCloseFile(gif, &code);
    return read;
}
