#define _FILE_OFFSET_BITS 64
#include "CImageIO.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int64_t cimage_file_size(const char *path, char *error) {
    struct stat status;
    bool found = stat(path, &status) == 0;
    if (found && S_ISREG(status.st_mode)) return status.st_size;
    snprintf(error, CIMAGE_ERROR_SIZE, "%s", found ? "it is not a regular file" : strerror(errno));
    return -1;
}

bool cimage_file_read(const char *path, int64_t offset, uint8_t *bytes, size_t count, char *error) {
    if (cimage_file_size(path, error) < 0) return false;
    FILE *file = fopen(path, "rb");
    if (!file) {
        snprintf(error, CIMAGE_ERROR_SIZE, "%s", strerror(errno));
        return false;
    }
    bool read = fseeko(file, offset, SEEK_SET) == 0 && fread(bytes, 1, count, file) == count;
    if (!read) snprintf(error, CIMAGE_ERROR_SIZE, "it ends early");
    fclose(file);
    return read;
}
