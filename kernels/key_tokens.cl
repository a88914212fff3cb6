// The effect of replacing each single key by another pass's, to first order in z, with the softmax computed anew:
//
//   out[o, j, h] = [itself +] weight * sum_i g_i . (z'_i(j) - z_i)        z'(j): key j is the source's, all else the
//   receiver's
//
// With e_j = 2^(s_j - largest) for the receiver's scores, e' likewise for the source's key, and R_j the sum of all e
// but e_j:
//
//   g . (z' - z) = (e' - e_j) / (R_j + e') * (g . v_j - g . z)
//
// For the largest score, R_j and g . v_j - g . z = (R_j g . v_j - sum of the other e_m g . v_m) / (R_j + e_j) are sums
// over the other keys alone: as differences they would cancel where its p is near 1. Where e' > 1, numerator and
// denominator are divided by it, so that it cannot overflow.
//
// g, q, k, v  row i, token t, head h at Offset + i * Row + t * Token + h * DH; k and v in one buffer
// lists       ContractEntry structs from `first` on: g's row, the source's slot, the receiver's slot, out's row
// out         [*, T, H] from outOffset on
// scratch     [ITEMS * KEYS]
// bias        [H, T, T], added to the scores if SCORE_BIAS is 1
// ND-range: (ITEMS, H, n), local (ITEMS, 1, 1); a group computes one head of an entry
//
// lanes.cl is prepended, with DH, QL and KU.
// ITEMS  work-items of a group, each with QL queries at a time; on CPUs ITEMS is 1, on GPUs QL is 1
// KEYS   keys in a block, a multiple of KU

#ifndef ITEMS
#define ITEMS 1
#endif
#ifndef KEYS
#define KEYS 16
#endif

// As ContractEntry in Contract.swift
typedef struct {
  int g, s, r, out;
} ContractEntry;

static inline float sum_of_lanes(floatq x) {
#if QL == 16
  float8 a = x.lo + x.hi;
  float4 b = a.lo + a.hi;
#elif QL == 8
  float4 b = x.lo + x.hi;
#elif QL == 4
  float4 b = x;
#endif
#if QL > 1
  float2 c = b.lo + b.hi;
  return c.x + c.y;
#else
  return x;
#endif
}

__kernel void key_tokens(__global const float *g, int gOffset, int gRow, int gToken, __global const float *q,
                         int qOffset, int qRow, int qToken, int queries, __global const float *kv, int kOffset,
                         int kRow, int kToken, int vOffset, int vRow, int vToken, int T, float scale,
                         __global const int *lists, int first, float factor, int accumulate, __global float *out,
                         int outOffset, __local float *scratch SCORE_BIAS_ARGUMENT) {
  int item = get_local_id(0), h = get_global_id(1), heads = get_global_size(1);
  ContractEntry entry = ((__global const ContractEntry *)(lists + first))[get_global_id(2)];
  g += gOffset + (size_t)entry.g * gRow + h * DH;
  q += qOffset + (size_t)entry.r * qRow + h * DH;
  __global const float *k = kv + kOffset + (size_t)entry.r * kRow + h * DH;
  __global const float *other = kv + kOffset + (size_t)entry.s * kRow + h * DH;
  __global const float *v = kv + vOffset + (size_t)entry.r * vRow + h * DH;
  out += outOffset + (size_t)entry.out * T * heads + h;
  scale *= 1.44269504088896341f;  // scores in powers of two
#if SCORE_BIAS
  bias += (size_t)h * T * T;
#define BIASED(score, key) ((score) + row_bias(bias, 0, t0, queries, T, min((key), T - 1)))
#else
#define BIASED(score, key) (score)
#endif

  for (int i0 = 0; i0 < queries; i0 += ITEMS * QL) {
    int t0 = i0 + item * QL;
    float qt[DH * QL], gt[DH * QL], lanes[QL];
    load_lanes(q, qToken, 0, t0, queries, qt);
    load_lanes(g, gToken, 0, t0, queries, gt);
    for (int lane = 0; lane < QL; lane++) lanes[lane] = t0 + lane < queries ? 1.0f : 0.0f;
    floatq counts = LOADQ(lanes);  // lanes past the last query repeat it and add nothing

    // The largest score, its key and g . v, and sums over the other keys of e and of e times g . v
    floatq top = -INFINITY, at = -1.0f, atSlope = 0.0f, rest = -1.0f, restSlope = 0.0f;
    for (int j0 = 0; j0 < T; j0 += KEYS) {
      int keys = min(KEYS, T - j0);
      floatq scores[KEYS], slopes[KEYS], before = top;
      for (int j = 0; j < keys; j += KU) {
        floatq sum[KU];
        products(qt, k, kToken, j0 + j, T, sum);
        products(gt, v, vToken, j0 + j, T, slopes + j);
#pragma unroll
        for (int u = 0; u < KU; u++) {
          // Keys past the last repeat it, so their scores are never larger.
          scores[j + u] = BIASED(sum[u] * scale, j0 + j + u);
          at = scores[j + u] > top ? (floatq)(j0 + j + u) : at;
          top = scores[j + u] > top ? scores[j + u] : top;
        }
      }
      // The previous largest becomes one of the others; the first key has no previous one, so rest + 1 is 0 there.
      floatq shrink = weight(before - top);
      rest = top > before ? (rest + 1.0f) * shrink : rest;
      restSlope = top > before ? (restSlope + atSlope) * shrink : restSlope;
      for (int j = 0; j < keys; j++) {
        floatq e = weight(scores[j] - top), key = j0 + j;
        rest += key == at ? (floatq)(0.0f) : e;
        restSlope = fma(key == at ? (floatq)(0.0f) : e, slopes[j], restSlope);
        atSlope = key == at ? slopes[j] : atSlope;
      }
    }
    floatq total = rest + 1.0f, mean = (restSlope + atSlope) / total;
    floatq atDifference = fma(rest, atSlope, -restSlope) / total;

    for (int j0 = 0; j0 < T; j0 += KEYS) {
      int keys = min(KEYS, T - j0);
      floatq scores[KEYS], changed[KEYS], slopes[KEYS];
      for (int j = 0; j < keys; j += KU) {
        products(qt, k, kToken, j0 + j, T, scores + j);
        products(qt, other, kToken, j0 + j, T, changed + j);
        products(gt, v, vToken, j0 + j, T, slopes + j);
      }
      for (int j = 0; j < keys; j++) {
        floatq e = weight(BIASED(scores[j] * scale, j0 + j) - top);
        floatq by = BIASED(changed[j] * scale, j0 + j) - top, key = j0 + j;
        floatq others = key == at ? rest : total - e, difference = key == at ? atDifference : slopes[j] - mean;
        // Both divided by the larger of 1 and e'
        floatq smaller = weight(-fabs(by));
        floatq grown = by > 0.0f ? smaller : (floatq)(1.0f), own = by > 0.0f ? (floatq)(1.0f) : smaller;
        floatq change = fma(-e, grown, own) / fma(others, grown, own) * difference;
        float sum = sum_of_lanes(counts > 0.0f ? change : (floatq)(0.0f));
        if (ITEMS > 1) {
          scratch[j * ITEMS + item] = sum;
        } else {
          __global float *to = out + (size_t)(j0 + j) * heads;
          *to = fma(factor, sum, i0 > 0 || accumulate ? *to : 0.0f);
        }
      }
      if (ITEMS > 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = item; j < keys; j += ITEMS) {
          float sum = 0.0f;
          for (int n = 0; n < ITEMS; n++) sum += scratch[j * ITEMS + n];
          __global float *to = out + (size_t)(j0 + j) * heads;
          *to = fma(factor, sum, i0 > 0 || accumulate ? *to : 0.0f);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
      }
    }
  }
}
