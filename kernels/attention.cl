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
// lanes.cl stands in front, with DH, QL and KU.
// SCORE_BIAS  1: softmax_j(q . k * scale + bias[h, t, j]), bias [H, T, T] after the other arguments
// KB  keys in a block, a multiple of KU

#ifndef KB
#define KB 16
#endif

// One head of one pass, for queries t0 ..< t0 + QL of `tokens`; q, k, v, z point at the pass's token 0 and the head.
static inline void attend(__global const float *q, int qStride, __global const int *tokens, int t0, int queries,
                   __global const float *k, __global const float *v, int kvStride, int T, float scale,
                   __global float *z, int zStride SCORE_BIAS_ARGUMENT) {
  float qt[DH * QL];  // [DH, QL]; lanes past the last query repeat it
  load_lanes(q, qStride, tokens, t0, queries, qt);
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
      floatq sum[KU];
      products(qt, k + (size_t)j0 * kvStride, kvStride, j, keys, sum);
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
    add_weighted(s, v + (size_t)j0 * kvStride, kvStride, keys, shrink, o);
  }

  for (int d = 0; d < DH; d++) o[d] /= total;
  store_lanes(o, z, zStride, tokens, t0, queries);
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
