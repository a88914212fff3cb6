// The kernels of attention.cl for CPUs with AMX.
//
// Arguments and results as there. Products run on tiles, of bf16 parts (amx.cl, in front of this file); scores, the
// online softmax (Milakov and Gimelshein 2018; Dao et al. 2022) and sums are fp32.
//
// A work-item holds up to QUERIES queries of a head and meets KEYS keys at a time, 32 x 32 of both on tiles. Weights
// are split as rows of the next product's left factor; keys become columns of a right factor (transposed in registers),
// values pairs of rows. z and the sums of weights grow from one block of keys to the next.
//
//            KEYS (right)                     DP (right)
//          +------+                         +----+
//       DP | keys |                    KEYS | v  |
//   32 +---+------+               32 +------+----+
//      | q | s    |  p = 2^(s - max) |  p   | z  |
//
// A query's result is one chain of operations, whichever row of a tile it is in and whatever runs beside it.
//
// ND-range: (ceil(queries / QUERIES), H, n), local (1, 1, 1); attention_pattern_amx: (ceil(most tokens / QUERIES),
// entries), local (1, 1)
//
// PARTS  2 for bf16x3, 1 for bf16;  DH  width of a head;  QUERIES, KEYS  multiples of 32; no defaults. QL is 16.

#define DSTEPS ((DH + 31) / 32)
#define DP (DSTEPS * 32)
#define BLOCKS (KEYS / 32)
#define ROWS 4  // of weights at a time: as many independent chains

// A work-item's local memory
typedef struct {
  uchar q[QUERIES / 32][DSTEPS][STEP];  // queries as left factors
  uchar k[BLOCKS][DSTEPS][STEP];        // keys as right factors: 32 keys a block
  uchar v[DSTEPS][BLOCKS][STEP];        // values: 32 columns, then 32 keys a block
  float scores[BLOCKS][32 * 32];        // of 32 queries
  uchar p[BLOCKS][STEP];                // their weights as left factors
  float z[QUERIES * DP];
  float16 total[QUERIES];  // of weights, lane by lane
  float highest[QUERIES];
} attention_memory;

// `keys` rows, the last repeated up to a whole block: pairs of columns in rows, keys in columns
static inline void put_keys(__global const float *k, int stride, int keys, __local attention_memory *memory) {
  for (int block = 0; block * 32 < keys; block++)
    for (int step = 0; step < DSTEPS; step++)
      for (int tile = 0; tile < 2; tile++) {
        float16 high[16], low[16];
#pragma unroll
        for (int r = 0; r < 16; r++) {
          int16 hi, lo = 0;
          int row = min(block * 32 + tile * 16 + r, keys - 1);
          split_row(k + (size_t)row * stride + step * 32, DH - step * 32, &hi, &lo);
          high[r] = as_float16(hi);
          low[r] = as_float16(lo);
        }
        __local uchar *to = memory->k[block][step] + tile * 1024;
        transpose(high);
#pragma unroll
        for (int r = 0; r < 16; r++) *(__local float16 *)(to + r * 64) = high[r];
#if PARTS == 2
        transpose(low);
#pragma unroll
        for (int r = 0; r < 16; r++) *(__local float16 *)(to + 2048 + r * 64) = low[r];
#endif
      }
}

// 16 parts of one row and 16 of the next one, pair by pair
static inline uint16 row_pairs(int16 parts) {
  return __builtin_convertvector(as_ushort16(parts.lo), uint16) |
         __builtin_convertvector(as_ushort16(parts.hi), uint16) << 16;
}

// 16 columns of a row from column d on; those past the last, and rows past the last, are zeros.
static inline float16 load_columns(__global const float *row, int d, bool exists) {
  if (!exists) return 0.0f;
  if (d + 16 <= DH) return vload16(0, row + d);
  float values[16];
  for (int i = 0; i < 16; i++) values[i] = d + i < DH ? row[d + i] : 0.0f;
  return vload16(0, values);
}

// `values` rows, up to a whole block: columns in columns, pairs of rows in rows
static inline void put_values(__global const float *v, int stride, int rows, __local attention_memory *memory) {
  for (int block = 0; block * 32 < rows; block++)
    for (int pair = 0; pair < 16; pair++) {
      int r = block * 32 + pair * 2;
      for (int tile = 0; tile < DSTEPS * 2; tile++) {
        float16 even = load_columns(v + (size_t)r * stride, tile * 16, r < rows);
        float16 odd = load_columns(v + (size_t)(r + 1) * stride, tile * 16, r + 1 < rows);
        int16 high, low = 0;
        split_values(even, odd, &high, &low);
        __local uchar *to = memory->v[tile / 2][block] + tile % 2 * 1024 + pair * 64;
        *(__local uint16 *)to = row_pairs(high);
#if PARTS == 2
        *(__local uint16 *)(to + 2048) = row_pairs(low);
#endif
      }
    }
}

static inline float lanes_max(float16 x) {
  float8 a = x.lo > x.hi ? x.lo : x.hi;
  float4 b = a.lo > a.hi ? a.lo : a.hi;
  float2 c = b.lo > b.hi ? b.lo : b.hi;
  return c.x > c.y ? c.x : c.y;
}

// Rows r ..< r + ROWS of a block of scores become rows of weights; a query's z and its sum of weights shrink where its
// largest score grows. Keys past the last weigh 2^-126, which vanishes beside the largest weight, 1.
//
// own     the first row's place among the work-item's queries
// t0, queries, tokens  which queries these are
// j0      the block's first key, of `keyBlocks` times 32;  T  the keys that there are
static inline void weigh(__local attention_memory *memory, int r, int own, __global const int *tokens, int t0,
                         int queries, int j0, int keyBlocks, int T, float scale SCORE_BIAS_ARGUMENT) {
  const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  float16 top[ROWS], total[ROWS];
  float highest[ROWS];
#pragma unroll
  for (int u = 0; u < ROWS; u++) top[u] = -INFINITY;
  for (int i = 0; i < keyBlocks * 2; i++) {
    __local float *scores = memory->scores[i / 2] + r * 32 + i % 2 * 16;
    int left = T - j0 - i * 16;
#pragma unroll
    for (int u = 0; u < ROWS; u++) {
      float16 s = *(__local float16 *)(scores + u * 32) * scale;
#if SCORE_BIAS
      s += key_bias(bias, token(tokens, min(t0 + own + u, queries - 1)), j0 + i * 16, T);
#endif
      if (left < 16) s = lane < left ? s : (float16)(-INFINITY);
      *(__local float16 *)(scores + u * 32) = s;
      top[u] = s > top[u] ? s : top[u];
    }
  }
#pragma unroll
  for (int u = 0; u < ROWS; u++) {
    highest[u] = lanes_max(top[u]);
    total[u] = 0.0f;
    if (j0 > 0) {
      float before = memory->highest[own + u];
      highest[u] = before > highest[u] ? before : highest[u];
      float16 shrink = weight((float16)(before - highest[u]));
      total[u] = memory->total[own + u] * shrink;
      for (int d = 0; d < DP; d += 16) *(__local float16 *)(memory->z + (own + u) * DP + d) *= shrink;
    }
    memory->highest[own + u] = highest[u];
  }
  for (int j = 0; j < keyBlocks; j++) {
    __local float *scores = memory->scores[j] + r * 32;
#pragma unroll
    for (int u = 0; u < ROWS; u++) {
      float16 first = weight(*(__local float16 *)(scores + u * 32) - highest[u]);
      float16 second = weight(*(__local float16 *)(scores + u * 32 + 16) - highest[u]);
      total[u] += first + second;
      int16 high, low = 0;
      split_values(first, second, &high, &low);
      put_parts(high, low, memory->p[j] + (r + u) * 64);
    }
  }
#pragma unroll
  for (int u = 0; u < ROWS; u++) memory->total[own + u] = total[u];
}

// One head of one pass, for queries t0 ..< t0 + QUERIES of `tokens`; q, k, v, z point at the pass's token 0 and the
// head.
static inline void attend(__global const float *q, int qStride, __global const int *tokens, int t0, int queries,
                          __global const float *k, __global const float *v, int kvStride, int T, float scale,
                          __global float *z, int zStride, __local attention_memory *memory SCORE_BIAS_ARGUMENT) {
  int count = min(QUERIES, queries - t0), blocks = (count + 31) / 32;
  scale *= 1.44269504088896341f;  // scores in powers of two
  // Rows lie far apart, which processors do not foresee.
  for (int j = 0; j < T; j++)
    for (int d = 0; d < DH; d += 16) {
      PREFETCH(k + (size_t)j * kvStride + d)
      PREFETCH(v + (size_t)j * kvStride + d)
    }
  // Queries past the last repeat it; they are computed and not stored.
  for (int i = 0; i < blocks * 32; i++)
    for (int step = 0; step < DSTEPS; step++) {
      __global const float *row = q + (size_t)token(tokens, min(t0 + i, queries - 1)) * qStride;
      int16 high, low = 0;
      split_row(row + step * 32, DH - step * 32, &high, &low);
      put_parts(high, low, memory->q[i / 32][step] + i % 32 * 64);
    }
  TILES_BEGIN
  for (int j0 = 0; j0 < T; j0 += KEYS) {
    int keys = min(KEYS, T - j0), keyBlocks = (keys + 31) / 32;
    put_keys(k + (size_t)j0 * kvStride, kvStride, keys, memory);
    put_values(v + (size_t)j0 * kvStride, kvStride, keys, memory);
    for (int b = 0; b < blocks; b++) {
      for (int j = 0; j < keyBlocks; j++) {
        TILE_ZERO(0) TILE_ZERO(1) TILE_ZERO(2) TILE_ZERO(3)
        for (int step = 0; step < DSTEPS; step++) {
          __local uchar *left = memory->q[b][step], *right = memory->k[j][step];
          MULTIPLY_STEP(left, right)
        }
        __local uchar *to = (__local uchar *)memory->scores[j];
        TILE_STORE(0, to, 0, 128) TILE_STORE(1, to, 64, 128)
        TILE_STORE(2, to, 2048, 128) TILE_STORE(3, to, 2112, 128)
      }
      for (int r = 0; r < 32; r += ROWS)
        weigh(memory, r, b * 32 + r, tokens, t0, queries, j0, keyBlocks, T, scale SCORE_BIAS_VALUE);
      for (int step = 0; step < DSTEPS; step++) {
        __local uchar *sums = (__local uchar *)(memory->z + b * 32 * DP + step * 32), *lower = sums + 16 * DP * 4;
        if (j0 == 0) {
          TILE_ZERO(0) TILE_ZERO(1) TILE_ZERO(2) TILE_ZERO(3)
        } else {
          TILE_LOAD(0, sums, 0, DP * 4) TILE_LOAD(1, sums, 64, DP * 4)
          TILE_LOAD(2, lower, 0, DP * 4) TILE_LOAD(3, lower, 64, DP * 4)
        }
        for (int j = 0; j < keyBlocks; j++) {
          __local uchar *left = memory->p[j], *right = memory->v[step][j];
          MULTIPLY_STEP(left, right)
        }
        TILE_STORE(0, sums, 0, DP * 4) TILE_STORE(1, sums, 64, DP * 4)
        TILE_STORE(2, lower, 0, DP * 4) TILE_STORE(3, lower, 64, DP * 4)
      }
    }
  }
  TILES_END
  for (int i = 0; i < count; i++) {
    float total = lane_sum(memory->total[i]);
    __global float *row = z + (size_t)token(tokens, t0 + i) * zStride;
    for (int d = 0; d < DP; d += 16) {
      float16 values = *(__local float16 *)(memory->z + i * DP + d) / total;
      if (d + 16 <= DH) {
        vstore16(values, 0, row + d);
      } else {
        float rest[16];
        vstore16(values, 0, rest);
        for (int e = 0; d + e < DH; e++) row[d + e] = rest[e];
      }
    }
  }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void attention_online_amx(__global const float *q, int qOffset, int qStride, int queries,
                                   __global const float *kv, int kOffset, int vOffset, int kvStride, int T,
                                   float scale, __global float *z, int zOffset, int zStride SCORE_BIAS_ARGUMENT) {
  __local attention_memory memory __attribute__((aligned(128)));
  int t0 = get_global_id(0) * QUERIES, h = get_global_id(1);
  size_t i = get_global_id(2);
  if (t0 >= queries) return;
  attend(q + qOffset + i * queries * qStride + h * DH, qStride, 0, t0, queries,
         kv + kOffset + i * T * kvStride + h * DH, kv + vOffset + i * T * kvStride + h * DH, kvStride, T, scale,
         z + zOffset + i * queries * zStride + h * DH, zStride, &memory SCORE_BIAS_OF(h));
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void attention_pattern_amx(__global const float *q, int qOffset, int qStride, int queries,
                                    __global const float *kv, int kOffset, int vOffset, int kvStride, int T,
                                    float scale, __global float *z, int zStride, __global const int *lists,
                                    int first SCORE_BIAS_ARGUMENT) {
  __local attention_memory memory __attribute__((aligned(128)));
  PatternEntry entry = ((__global const PatternEntry *)(lists + first))[get_global_id(1)];
  int t0 = get_global_id(0) * QUERIES, h = entry.head;
  if (t0 >= entry.tokenCount) return;
  size_t from = entry.from, to = entry.to;
  attend(q + qOffset + from * queries * qStride + h * DH, qStride, lists + entry.tokens, t0, entry.tokenCount,
         kv + kOffset + from * T * kvStride + h * DH, kv + vOffset + to * T * kvStride + h * DH, kvStride, T, scale,
         z + to * queries * zStride + h * DH, zStride, &memory SCORE_BIAS_OF(h));
}
