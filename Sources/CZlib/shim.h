// crc32 only, for the archives of `export --format npz`.
#pragma once
#include <zlib.h>
