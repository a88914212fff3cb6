// The CPU's matrix tiles (Intel AMX) and its conversion to bf16 as inline assembly, and a model of both in plain
// OpenCL; in front of gemm_amx.cl. What instructions do is in Intel's manual ("TDPBF16PS", "VCVTNE2PS2BF16").
//
// AMX_MODEL  0 the instructions, 1 the model, 2 the model of tiles beside the true conversion: so all of gemm_amx.cl
//            but these few lines runs on any device, in tests
//
// There are eight tiles, of 16 rows of 64 bytes. A factor's tile has bf16 numbers; the right one's rows are pairs of k:
//
//   left [16 m, 32 k]     right [16 pairs of k, 16 n, 2]     sums [16 m, 16 n] floats
//
// The tiles' configuration belongs to the thread: TILES_BEGIN ... TILES_END stand in one kernel, without a barrier and
// without a call of a function between them while sums are in tiles. Instructions want whole numbers for tile numbers
// and offsets, so that these are macros.

#ifndef AMX_MODEL
#define AMX_MODEL 0
#endif

#if AMX_MODEL == 0

typedef struct {
  uchar palette, start, pad[14];
  ushort rowBytes[16];
  uchar rows[16];
} tile_config;

#define TILES_BEGIN                                                   \
  tile_config tileConfig __attribute__((aligned(64)));                \
  for (int i = 0; i < 64; i++) ((__private uchar *)&tileConfig)[i] = 0; \
  tileConfig.palette = 1;                                             \
  for (int i = 0; i < 8; i++) {                                       \
    tileConfig.rowBytes[i] = 64;                                      \
    tileConfig.rows[i] = 16;                                          \
  }                                                                   \
  __asm volatile("ldtilecfg %0" ::"m"(tileConfig) : "memory");
// With a fence behind the stores of STREAM
#define TILES_END __asm volatile("tilerelease\n sfence" ::: "memory");

#define TILE_ZERO(t) __asm volatile("tilezero %%tmm" #t ::: "memory");
#define TILE_LOAD(t, from, offset, stride) \
  __asm volatile("tileloadd " #offset "(%0,%1,1), %%tmm" #t ::"r"(from), "r"((long)(stride)) : "memory");
#define TILE_STORE(t, to, offset, stride) \
  __asm volatile("tilestored %%tmm" #t ", " #offset "(%0,%1,1)" ::"r"(to), "r"((long)(stride)) : "memory");
// sums += left right; three different tiles
#define TILE_MULTIPLY(sums, left, right) \
  __asm volatile("tdpbf16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #sums ::: "memory");
// The line at `from` into the second-level cache
#define PREFETCH(from) __asm volatile("prefetcht1 (%0)" ::"r"(from));
// 16 floats to global memory past the caches; `to` is a multiple of 64 bytes
#define STREAM(x, to) __asm volatile("vmovntps %1, (%0)" ::"r"(to), "v"(x) : "memory");

#else

// What the units make of a number below the smallest normal one, as a factor, a sum or a result: 0
static inline float16 flushed(float16 x) { return fabs(x) < 0x1p-126f ? copysign((float16)(0.0f), x) : x; }

// [16 m, 16 n] += left right: even and odd k in chains of their own, from 0 on, then their sum to what was there
static inline void model_multiply(uint16 *sums, const uint16 *left, const uint16 *right) {
#pragma unroll 1
  for (int m = 0; m < 16; m++) {
    const uint *row = (const uint *)(left + m);
    float16 even = 0.0f, odd = 0.0f;
#pragma unroll 1
    for (int k = 0; k < 16; k++) {
      float16 low = flushed(as_float16((uint16)(row[k] << 16)));
      float16 high = flushed(as_float16((uint16)(row[k] & 0xffff0000u)));
      even = flushed(fma(low, flushed(as_float16(right[k] << 16)), even));
      odd = flushed(fma(high, flushed(as_float16(right[k] & 0xffff0000u)), odd));
    }
    sums[m] = as_uint16(flushed(flushed(as_float16(sums[m])) + flushed(even + odd)));
  }
}

#define TILES_BEGIN uint16 tile[8][16];
#define TILES_END
#define TILE_ZERO(t) \
  for (int row_ = 0; row_ < 16; row_++) tile[t][row_] = 0;
#define TILE_LOAD(t, from, offset, stride)     \
  for (int word_ = 0; word_ < 256; word_++)    \
    ((uint *)tile[t])[word_] = as_uint(vload4(0, (from) + (offset) + word_ / 16 * (stride) + word_ % 16 * 4));
#define TILE_STORE(t, to, offset, stride)      \
  for (int word_ = 0; word_ < 256; word_++)    \
    vstore4(as_uchar4(((uint *)tile[t])[word_]), 0, (to) + (offset) + word_ / 16 * (stride) + word_ % 16 * 4);
#define TILE_MULTIPLY(sums, left, right) model_multiply(tile[sums], tile[left], tile[right]);
#define PREFETCH(from) (void)(from);
#define STREAM(x, to) vstore16(x, 0, to);

#endif

// 32 floats, rounded to the nearest bf16, ties to even, the first at the lowest address; numbers below the smallest
// normal one become 0.
#if AMX_MODEL == 1
static inline uint16 bf16_bits(float16 x) {
  uint16 bits = as_uint16(flushed(x));
  bits = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return x == x ? bits : (uint16)(0x7fffu);
}
static inline int16 bf16_pairs(float16 first, float16 second) {
  uint16 a = bf16_bits(first), b = bf16_bits(second);
  return as_int16((uint16)(a.even | a.odd << 16, b.even | b.odd << 16));
}
#else
static inline int16 bf16_pairs(float16 first, float16 second) {
  int16 y;
  __asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(y) : "v"(first), "v"(second));
  return y;
}
#endif

// Eight pairs of bf16 as floats
static inline float16 bf16_floats(int8 pairs) {
  return as_float16(__builtin_convertvector(as_ushort16(pairs), uint16) << 16);
}

// PARTS 2 (bf16x3): a number is hi = round(x) and lo = round(x - hi); a product is hi lo' + hi hi' + lo hi', in this
// order.
// PARTS 1 (bf16): hi alone, and hi hi'
//
// With two parts hi is bf16's largest number at most: what lies beyond it, infinity too, is then in lo, and inf - inf
// makes no NaN that fp32 would not have, unless the other factor is above 256 (its lo may have the other sign, and make
// the product infinite by itself). With one part such numbers are infinite. Parts below 2^-126 count as 0: at most
// 2^-126 of a factor is lost.
#define LARGEST 0x1.fep127f   // bf16's
#define STEP (PARTS * 2048)  // bytes of 32 rows (or columns) and 32 k: two tiles a part, hi before lo

// hi and lo of 32 numbers; with one part lo stays as it is
static inline void split_values(float16 first, float16 second, int16 *high, int16 *low) {
#if PARTS == 2
  // Written so that NaN stays
  float16 largest = LARGEST;
  float16 a = first > largest ? largest : first, b = second > largest ? largest : second;
  a = a < -largest ? -largest : a;
  b = b < -largest ? -largest : b;
  *high = bf16_pairs(a, b);
  *low = bf16_pairs(first - bf16_floats(high->lo), second - bf16_floats(high->hi));
#else
  *high = bf16_pairs(first, second);
#endif
}

// The same of 32 numbers of a row in global memory; from `count` on zeros
static inline void split_row(__global const float *x, int count, int16 *high, int16 *low) {
  float16 first, second;
  if (count >= 32) {
    first = vload16(0, x);
    second = vload16(1, x);
  } else {
    float values[32];
    for (int i = 0; i < 32; i++) values[i] = i < count ? x[i] : 0.0f;
    first = vload16(0, values);
    second = vload16(1, values);
  }
  split_values(first, second, high, low);
}

// A row of a left factor's 32 rows and 32 k, at `to`
static inline void put_parts(int16 high, int16 low, __local uchar *to) {
  *(__local int16 *)to = high;
#if PARTS == 2
  *(__local int16 *)(to + 2048) = low;
#endif
}

// Tiles 0 to 3 += 32 rows times 32 columns, over 32 k: rows 0-15 in tiles 0 and 1, rows 16-31 in tiles 2 and 3. Every
// tile of the factors at `left` and `right` is loaded once, the left one's into tiles 4 and 5, the right one's into 6
// and 7: with two parts, 8 loads for 12 products.
#if PARTS == 2
#define MULTIPLY_STEP(left, right)                    \
  TILE_LOAD(4, left, 0, 64)                           \
  TILE_LOAD(6, right, 2048, 64)                       \
  TILE_MULTIPLY(0, 4, 6) /* hi with lo */             \
  TILE_LOAD(5, left, 1024, 64)                        \
  TILE_MULTIPLY(2, 5, 6)                              \
  TILE_LOAD(7, right, 3072, 64)                       \
  TILE_MULTIPLY(1, 4, 7)                              \
  TILE_LOAD(6, right, 0, 64)                          \
  TILE_MULTIPLY(3, 5, 7)                              \
  TILE_LOAD(7, right, 1024, 64)                       \
  TILE_MULTIPLY(0, 4, 6) /* hi with hi */             \
  TILE_MULTIPLY(1, 4, 7)                              \
  TILE_LOAD(4, left, 2048, 64)                        \
  TILE_MULTIPLY(2, 5, 6)                              \
  TILE_MULTIPLY(3, 5, 7)                              \
  TILE_LOAD(5, left, 3072, 64)                        \
  TILE_MULTIPLY(0, 4, 6) /* lo with hi */             \
  TILE_MULTIPLY(1, 4, 7)                              \
  TILE_MULTIPLY(2, 5, 6)                              \
  TILE_MULTIPLY(3, 5, 7)
#else
#define MULTIPLY_STEP(left, right)                    \
  TILE_LOAD(4, left, 0, 64)                           \
  TILE_LOAD(6, right, 0, 64)                          \
  TILE_MULTIPLY(0, 4, 6)                              \
  TILE_LOAD(7, right, 1024, 64)                       \
  TILE_MULTIPLY(1, 4, 7)                              \
  TILE_LOAD(5, left, 1024, 64)                        \
  TILE_MULTIPLY(2, 5, 6)                              \
  TILE_MULTIPLY(3, 5, 7)
#endif
