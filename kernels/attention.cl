// z[i, t, h, :] = sum_j softmax_j(q[i, t, h, :] . k[i, j, h, :] * scale) v[i, j, h, :]
//
// Online softmax (Milakov and Gimelshein 2018; Dao et al. 2022): keys come in blocks of KB, and the [T, T] scores are
// never written. A work-item holds QL queries in the lanes of its vectors, so every key and value is a scalar that
// meets a vector, and no sum runs across lanes. Transposed, for one block of keys:
//
//        lanes: queries                      lanes: queries
//   s [KB] = k [KB, DH] x qt [DH]      o [DH] += v [KB, DH]^T x p [KB],  p = 2^(s - max)
//
// q       token rows of qStride floats, `queries` an image, from qOffset on; head h at columns h * DH
// kv      token rows of kvStride floats, T an image; keys from kOffset, values from vOffset on
// z       [n, queries, zStride] from zOffset on, head h at columns h * DH
// ND-range: (ceil(queries / QL), H, n), local (1, 1, 1)
//
// DH  width of a head (no default)
// SCORE_BIAS  1: softmax_j(q . k * scale + bias[h, t, j]), bias [H, T, T] after the other arguments
// QL  queries in a vector: the CPU's vector width
// KB  keys in a block, a multiple of KU
// KU  keys, or values' columns, that meet a vector of queries at a time: as many independent chains of fma

#ifndef QL
#define QL 8
#endif
#ifndef KB
#define KB 16
#endif
#ifndef KU
#define KU 8
#endif

#if QL == 1
typedef float floatq;
#define LOADQ(p) (*(p))
#define STOREQ(x, p) (*(p) = (x))
#else
typedef CAT(float, QL) floatq;
#define LOADQ(p) CAT(vload, QL)(0, (p))
#define STOREQ(x, p) CAT(vstore, QL)((x), 0, (p))
#endif

#if QL == 1
DEFINE_EXP2(floatq, as_float, as_int)
#else
DEFINE_EXP2(floatq, CAT(as_float, QL), CAT(as_int, QL))
#endif

// 2^x for x <= 0; what is too small to be told from nothing beside the largest weight, 1, is 2^-126
static inline floatq weight(floatq x) { return exp2_floatq(x < -126.0f ? (floatq)(-126.0f) : x); }

#if QL > 1
// a0 b0 a1 b1 ... of the lower halves of two vectors, and of their upper halves
#if QL == 16
#define ZIP_LO(a, b) \
  (floatq)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define ZIP_HI(a, b) \
  (floatq)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#elif QL == 8
#define ZIP_LO(a, b) (floatq)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3)
#define ZIP_HI(a, b) (floatq)(a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#elif QL == 4
#define ZIP_LO(a, b) (floatq)(a.s0, b.s0, a.s1, b.s1)
#define ZIP_HI(a, b) (floatq)(a.s2, b.s2, a.s3, b.s3)
#endif

// Transposes QL vectors in registers: log2 QL perfect shuffles of the rows.
static inline void transpose(floatq *rows) {
#pragma unroll
  for (int n = 1; n < QL; n *= 2) {
    floatq zipped[QL];
#pragma unroll
    for (int i = 0; i < QL / 2; i++) {
      zipped[2 * i] = ZIP_LO(rows[i], rows[i + QL / 2]);
      zipped[2 * i + 1] = ZIP_HI(rows[i], rows[i + QL / 2]);
    }
#pragma unroll
    for (int i = 0; i < QL; i++) rows[i] = zipped[i];
  }
}
#endif

// Query token i of a work-item's list; all tokens in order where there is none.
static inline int token(__global const int *tokens, int i) { return tokens ? tokens[i] : i; }

#if SCORE_BIAS
// The bias of one key for a vector of queries, in powers of two
static inline floatq row_bias(__global const float *bias, __global const int *tokens, int t0, int queries, int T,
                              int key) {
  float lanes[QL];
  for (int lane = 0; lane < QL; lane++)
    lanes[lane] = bias[(size_t)token(tokens, min(t0 + lane, queries - 1)) * T + key];
  return LOADQ(lanes) * 1.44269504088896341f;
}
#endif

// One head of one pass, for queries t0 ..< t0 + QL of `tokens`; q, k, v, z point at the pass's token 0 and the head.
static inline void attend(__global const float *q, int qStride, __global const int *tokens, int t0, int queries,
                   __global const float *k, __global const float *v, int kvStride, int T, float scale,
                   __global float *z, int zStride SCORE_BIAS_ARGUMENT) {
  float qt[DH * QL];  // [DH, QL]; lanes past the last query repeat it
#if QL > 1 && DH >= QL
  for (int d = 0; d < DH; d += QL) {
    int at = min(d, DH - QL);  // the last vectors may overlap those before them
    floatq rows[QL];
#pragma unroll
    for (int lane = 0; lane < QL; lane++)
      rows[lane] = LOADQ(q + (size_t)token(tokens, min(t0 + lane, queries - 1)) * qStride + at);
    transpose(rows);
#pragma unroll
    for (int i = 0; i < QL; i++) STOREQ(rows[i], qt + (at + i) * QL);
  }
#else
  for (int lane = 0; lane < QL; lane++) {
    __global const float *row = q + (size_t)token(tokens, min(t0 + lane, queries - 1)) * qStride;
    for (int d = 0; d < DH; d++) qt[d * QL + lane] = row[d];
  }
#endif
  floatq o[DH];
  for (int d = 0; d < DH; d++) o[d] = 0.0f;
  floatq highest = -INFINITY, total = 0.0f;
  scale *= 1.44269504088896341f;  // scores in powers of two

  for (int j0 = 0; j0 < T; j0 += KB) {
    int keys = min(KB, T - j0);
    floatq s[KB];
    floatq top = highest;
    for (int j = 0; j < keys; j += KU) {
      // Keys past the last repeat it, and weigh nothing.
      __global const float *row[KU];
      floatq sum[KU];
#pragma unroll
      for (int u = 0; u < KU; u++) {
        row[u] = k + (size_t)(j0 + min(j + u, keys - 1)) * kvStride;
        sum[u] = 0.0f;
      }
      for (int d = 0; d < DH; d++) {
        floatq x = LOADQ(qt + d * QL);
#pragma unroll
        for (int u = 0; u < KU; u++) sum[u] = fma(x, (floatq)(row[u][d]), sum[u]);
      }
#pragma unroll
      for (int u = 0; u < KU; u++) {
        s[j + u] = sum[u] * scale;
#if SCORE_BIAS
        s[j + u] += row_bias(bias, tokens, t0, queries, T, j0 + min(j + u, keys - 1));
#endif
        top = s[j + u] > top ? s[j + u] : top;
      }
    }
    floatq shrink = weight(highest - top);
    highest = top;
    total *= shrink;
    for (int j = 0; j < keys; j++) {
      s[j] = weight(s[j] - top);
      total += s[j];
    }
    __global const float *v0 = v + (size_t)j0 * kvStride;
    int d = 0;
    for (; d + KU <= DH; d += KU) {
      floatq sum[KU];
#pragma unroll
      for (int u = 0; u < KU; u++) sum[u] = o[d + u] * shrink;
      for (int j = 0; j < keys; j++) {
        __global const float *row = v0 + (size_t)j * kvStride + d;
#pragma unroll
        for (int u = 0; u < KU; u++) sum[u] = fma(s[j], (floatq)(row[u]), sum[u]);
      }
#pragma unroll
      for (int u = 0; u < KU; u++) o[d + u] = sum[u];
    }
    for (; d < DH; d++) {
      floatq sum = o[d] * shrink;
      for (int j = 0; j < keys; j++) sum = fma(s[j], (floatq)(v0[(size_t)j * kvStride + d]), sum);
      o[d] = sum;
    }
  }

#if QL > 1 && DH >= QL
  for (int d = 0; d < DH; d += QL) {
    int at = min(d, DH - QL);
    floatq rows[QL];
#pragma unroll
    for (int i = 0; i < QL; i++) rows[i] = o[at + i] / total;
    transpose(rows);
#pragma unroll
    for (int lane = 0; lane < QL; lane++)
      if (t0 + lane < queries) STOREQ(rows[lane], z + (size_t)token(tokens, t0 + lane) * zStride + at);
  }
#else
  for (int d = 0; d < DH; d++) STOREQ(o[d] / total, qt + d * QL);
  for (int lane = 0; lane < QL && t0 + lane < queries; lane++) {
    __global float *row = z + (size_t)token(tokens, t0 + lane) * zStride;
    for (int d = 0; d < DH; d++) row[d] = qt[d * QL + lane];
  }
#endif
}

__kernel void attention_online(__global const float *q, int qOffset, int qStride, int queries,
                               __global const float *kv, int kOffset, int vOffset, int kvStride, int T, float scale,
                               __global float *z, int zOffset, int zStride SCORE_BIAS_ARGUMENT) {
  int t0 = get_global_id(0) * QL, h = get_global_id(1);
  size_t i = get_global_id(2);
  if (t0 >= queries) return;
  attend(q + qOffset + i * queries * qStride + h * DH, qStride, 0, t0, queries,
         kv + kOffset + i * T * kvStride + h * DH, kv + vOffset + i * T * kvStride + h * DH, kvStride, T, scale,
         z + zOffset + i * queries * zStride + h * DH, zStride SCORE_BIAS_OF(h));
}

// The patch of `pattern`: a pass's values weighted by another pass's pattern, which is that pass's queries and keys.
//
// lists   from `first` on PatternEntry after PatternEntry
// Slots are passes: slot s starts at s * queries rows of q and z, at s * T rows of kv.
// ND-range: (ceil(most tokens / QL), entries), local (1, 1)

// As PatternEntry in Attention.swift
typedef struct {
  int from, to;            // slots: whose pattern, and whose values and z
  int head;
  int tokens, tokenCount;  // where in `lists` the query tokens stand, and how many they are
} PatternEntry;
__kernel void attention_pattern(__global const float *q, int qOffset, int qStride, int queries,
                                __global const float *kv, int kOffset, int vOffset, int kvStride, int T, float scale,
                                __global float *z, int zStride, __global const int *lists,
                                int first SCORE_BIAS_ARGUMENT) {
  PatternEntry entry = ((__global const PatternEntry *)(lists + first))[get_global_id(1)];
  int t0 = get_global_id(0) * QL, h = entry.head;
  if (t0 >= entry.tokenCount) return;
  size_t from = entry.from, to = entry.to;
  attend(q + qOffset + from * queries * qStride + h * DH, qStride, lists + entry.tokens, t0, entry.tokenCount,
         kv + kOffset + from * T * kvStride + h * DH, kv + vOffset + to * T * kvStride + h * DH, kvStride, T, scale,
         z + to * queries * zStride + h * DH, zStride SCORE_BIAS_OF(h));
}
