// The kernels of attention.cl for NVIDIA GPUs with tensor cores (sm_80 and later).
//
// Arguments and results as there. Products run on tensor cores as in gemm_mma.cl, by the same MODE: BF16X3 (parts hi
// and lo, hi hi' + hi lo' + lo hi'), BF16 or FP16; sums and the online softmax (Milakov and Gimelshein 2018; Dao et al.
// 2022) are fp32.
//
// A work-group holds 16 queries a warp, in registers, and meets KEYS keys at a time, which come split through local
// memory. Scores stay in registers: two tiles of them [16, 8] are, lane by lane, one operand [16, 16] of the product
// with values (FlashAttention-2). A line of local memory is DHP values and 16 bytes: the eight lines of an ldmatrix lie
// in different banks.
//
// ND-range: (ceil(queries / (16 WARPS)) * ITEMS, H, n), local (ITEMS, 1, 1); attention_pattern_mma: (ceil(most tokens /
// (16 WARPS)) * ITEMS, entries), local (ITEMS, 1)
//
// MODE  as in mma.cl;  DH  width of a head;  WARPS  warps of a group;  KEYS  a multiple of 16; no defaults

#define ITEMS (WARPS * 32)
#define DHP ((DH + 15) / 16 * 16)
#define LINE (DHP * 2 + 16)  // bytes
#define PARTS (MODE == BF16X3 ? 2 : 1)
#define STEPS (DHP / 16)
#define COLUMNS (DHP / 8)
#define TILES (KEYS / 8)

static inline float exp2_fast(float x) {
  float y;
  __asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// The value of the lane whose number differs in the bits of `mask`
static inline float exchange(float x, int mask) {
  float y;
  __asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(y) : "f"(x), "r"(mask));
  return y;
}
static inline void load_matrices_transposed(uint *x, uint address) {
  __asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(address) : "memory");
}
#if MODE == FP16
#define PACK(low, high) fp16x2(low, high)
#else
#define PACK(low, high) bf16x2(low, high)
#endif
// What is left of two values beside their high parts
static inline uint rest(float low, float high, uint hi) {
  return PACK(low - as_float(hi << 16), high - as_float(hi & 0xffff0000u));
}

static inline float at_or_zero(__global const float *p, int d) { return d < DH ? p[d] : 0.0f; }

// KEYS rows of keys or values, split; rows past the last are zeros.
static inline void put_rows(__local uchar *to, __global const float *from, int stride, bool aligned, int rows) {
#pragma unroll 4
  for (int at = get_local_id(0); at < KEYS * (DHP / 4); at += ITEMS) {
    int row = at / (DHP / 4), d = at % (DHP / 4) * 4;
    float4 v = 0.0f;
    if (row < rows) {
      __global const float *p = from + (size_t)row * stride;
      if (aligned && d + 4 <= DH)
        v = *(__global const float4 *)(p + d);
      else
        v = (float4)(at_or_zero(p, d), at_or_zero(p, d + 1), at_or_zero(p, d + 2), at_or_zero(p, d + 3));
    }
    uint2 hi = (uint2)(PACK(v.x, v.y), PACK(v.z, v.w));
    *(__local uint2 *)(to + row * LINE + d * 2) = hi;
#if PARTS == 2
    *(__local uint2 *)(to + (KEYS + row) * LINE + d * 2) = (uint2)(rest(v.x, v.y, hi.x), rest(v.z, v.w, hi.y));
#endif
  }
}

static inline void attend(__global const float *q, int qStride, __global const int *tokens, int t0, int queries,
                          __global const float *k, __global const float *v, int kvStride, int T, float scale,
                          __global float *z, int zStride, __local uchar *ks,
                          __local uchar *vs SCORE_BIAS_ARGUMENT) {
  int lane = get_local_id(0) % 32, row = t0 + get_local_id(0) / 32 * 16 + lane / 4, column = lane % 4 * 2;
  bool works = t0 + (int)get_local_id(0) / 32 * 16 < queries;  // the same for a whole warp
  bool aligned = (size_t)k % 16 == 0 && (size_t)v % 16 == 0 && kvStride % 4 == 0;
  scale *= 1.44269504088896341f;  // scores in powers of two

  // Queries past the last repeat it; they are computed and not stored.
  uint fq[PARTS][STEPS][4];
  __global const float *q0 = q + (size_t)token(tokens, min(row, queries - 1)) * qStride;
  __global const float *q1 = q + (size_t)token(tokens, min(row + 8, queries - 1)) * qStride;
#if SCORE_BIAS
  __global const float *bias0 = bias + (size_t)token(tokens, min(row, queries - 1)) * T;
  __global const float *bias1 = bias + (size_t)token(tokens, min(row + 8, queries - 1)) * T;
#endif
#pragma unroll
  for (int s = 0; s < STEPS; s++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      __global const float *p = e % 2 ? q1 : q0;
      int d = s * 16 + e / 2 * 8 + column;
      float low = at_or_zero(p, d), high = at_or_zero(p, d + 1);
      fq[0][s][e] = PACK(low, high);
#if PARTS == 2
      fq[1][s][e] = rest(low, high, fq[0][s][e]);
#endif
    }

  float o[COLUMNS][4], highest[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};
#pragma unroll
  for (int c = 0; c < COLUMNS; c++)
#pragma unroll
    for (int e = 0; e < 4; e++) o[c][e] = 0.0f;

  uint atK = local_address(ks) + (lane % 8 + lane / 16 * 8) * LINE + lane / 8 % 2 * 16;
  uint atV = local_address(vs) + lane % 16 * LINE + lane / 16 * 16;
  for (int j0 = 0; j0 < T; j0 += KEYS) {
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the last block any more
    put_rows(ks, k + (size_t)j0 * kvStride, kvStride, aligned, T - j0);
    put_rows(vs, v + (size_t)j0 * kvStride, kvStride, aligned, T - j0);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (!works) continue;

    float s[TILES][4];
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) s[j][e] = 0.0f;
#pragma unroll
    for (int step = 0; step < STEPS; step++)
#pragma unroll
      for (int j = 0; j < TILES / 2; j++) {
        uint b[PARTS][4];
#pragma unroll
        for (int part = 0; part < PARTS; part++)
          load_matrices(b[part], atK + (part * KEYS + j * 16) * LINE + step * 32);
#pragma unroll
        for (int u = 0; u < 2; u++) {
#if PARTS == 2
          multiply(s[2 * j + u], fq[0][step], b[1][2 * u], b[1][2 * u + 1]);
          multiply(s[2 * j + u], fq[1][step], b[0][2 * u], b[0][2 * u + 1]);
#endif
          multiply(s[2 * j + u], fq[0][step], b[0][2 * u], b[0][2 * u + 1]);
        }
      }

    float top[2] = {highest[0], highest[1]};
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        int key = j0 + j * 8 + column + e % 2;
#if SCORE_BIAS
        s[j][e] = s[j][e] * scale + (e / 2 ? bias1 : bias0)[min(key, T - 1)] * 1.44269504088896341f;
#else
        s[j][e] = s[j][e] * scale;
#endif
        s[j][e] = key < T ? s[j][e] : -INFINITY;
        top[e / 2] = fmax(top[e / 2], s[j][e]);
      }
#pragma unroll
    for (int r = 0; r < 2; r++) {
      top[r] = fmax(top[r], exchange(top[r], 1));
      top[r] = fmax(top[r], exchange(top[r], 2));
      float shrink = exp2_fast(highest[r] - top[r]);
      highest[r] = top[r];
      total[r] *= shrink;
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) {
        o[c][2 * r] *= shrink;
        o[c][2 * r + 1] *= shrink;
      }
    }
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        s[j][e] = exp2_fast(s[j][e] - highest[e / 2]);
        total[e / 2] += s[j][e];
      }

#pragma unroll
    for (int j = 0; j < TILES / 2; j++) {
      uint p[PARTS][4];
#pragma unroll
      for (int e = 0; e < 4; e++) {
        float low = s[2 * j + e / 2][e % 2 * 2], high = s[2 * j + e / 2][e % 2 * 2 + 1];
        p[0][e] = PACK(low, high);
#if PARTS == 2
        p[1][e] = rest(low, high, p[0][e]);
#endif
      }
#pragma unroll
      for (int c = 0; c < COLUMNS / 2; c++) {
        uint b[PARTS][4];
#pragma unroll
        for (int part = 0; part < PARTS; part++)
          load_matrices_transposed(b[part], atV + (part * KEYS + j * 16) * LINE + c * 32);
#pragma unroll
        for (int u = 0; u < 2; u++) {
#if PARTS == 2
          multiply(o[2 * c + u], p[0], b[1][2 * u], b[1][2 * u + 1]);
          multiply(o[2 * c + u], p[1], b[0][2 * u], b[0][2 * u + 1]);
#endif
          multiply(o[2 * c + u], p[0], b[0][2 * u], b[0][2 * u + 1]);
        }
      }
    }
  }
  if (!works) return;

#pragma unroll
  for (int r = 0; r < 2; r++) {
    total[r] += exchange(total[r], 1);
    total[r] += exchange(total[r], 2);
    if (row + 8 * r >= queries) continue;
    __global float *to = z + (size_t)token(tokens, row + 8 * r) * zStride;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) {
      int d = c * 8 + column;
      float2 y = (float2)(o[c][2 * r], o[c][2 * r + 1]) / total[r];
      if (d + 1 < DH && (size_t)(to + d) % 8 == 0) {
        *(__global float2 *)(to + d) = y;
      } else {
        if (d < DH) to[d] = y.x;
        if (d + 1 < DH) to[d + 1] = y.y;
      }
    }
  }
}

#define LOCAL_MEMORY                                                             \
  __local uchar ks[PARTS * KEYS * LINE] __attribute__((aligned(16)));            \
  __local uchar vs[PARTS * KEYS * LINE] __attribute__((aligned(16)));

__kernel void attention_online_mma(
    __global const float *q, int qOffset, int qStride, int queries, __global const float *kv, int kOffset, int vOffset,
    int kvStride, int T, float scale, __global float *z, int zOffset, int zStride SCORE_BIAS_ARGUMENT) {
  LOCAL_MEMORY
  int h = get_global_id(1);
  size_t i = get_global_id(2);
  attend(q + qOffset + i * queries * qStride + h * DH, qStride, 0, get_group_id(0) * WARPS * 16, queries,
         kv + kOffset + i * T * kvStride + h * DH, kv + vOffset + i * T * kvStride + h * DH, kvStride, T, scale,
         z + zOffset + i * queries * zStride + h * DH, zStride, ks, vs SCORE_BIAS_OF(h));
}

__kernel void attention_pattern_mma(
    __global const float *q, int qOffset, int qStride, int queries, __global const float *kv, int kOffset, int vOffset,
    int kvStride, int T, float scale, __global float *z, int zStride, __global const int *lists,
    int first SCORE_BIAS_ARGUMENT) {
  LOCAL_MEMORY
  PatternEntry entry = ((__global const PatternEntry *)(lists + first))[get_global_id(1)];
  int t0 = get_group_id(0) * WARPS * 16;
  if (t0 >= entry.tokenCount) return;  // the same for a whole group
  size_t from = entry.from, to = entry.to;
  int h = entry.head;
  attend(q + qOffset + from * queries * qStride + h * DH, qStride, lists + entry.tokens, t0, entry.tokenCount,
         kv + kOffset + from * T * kvStride + h * DH, kv + vOffset + to * T * kvStride + h * DH, kvStride, T, scale,
         z + to * queries * zStride + h * DH, zStride, ks, vs SCORE_BIAS_OF(h));
}
