// The formulas in their simplest form: one work-item per output or row, scalars, nothing reused. Benchmarks run
// NAME_naive beside the kernel NAME, and tests check both against the same reference. No sweep uses them.
//
// Arguments and layouts are those of NAME; V, WG and QL are 1. epilogue.cl is prepended.

__kernel void layernorm_rows_naive(
    __global const float *in, int rowStride, __global const int *rows, int first, int tokens, int D,
    __global const float *weight, __global const float *bias, float eps, __global float *out) {
  int t = get_global_id(1), i = get_global_id(2);
  __global const float *x = in + (size_t)rows[first + i] * rowStride + (size_t)t * D;
  __global float *y = out + ((size_t)i * tokens + t) * D;
  float mean = 0.0f, variance = 0.0f;
  for (int d = 0; d < D; d++) mean += x[d];
  mean /= D;
  for (int d = 0; d < D; d++) variance += (x[d] - mean) * (x[d] - mean);
  variance /= D;
  for (int d = 0; d < D; d++) y[d] = (x[d] - mean) / sqrt(variance + eps) * weight[d] + bias[d];
}

// gelu uses the device's own erf
__kernel void bias_activation_naive(__global float *out, int offset, int stride, int width, __global const float *bias,
                              __global float *x, int rowStride, __global const int *lists, int first,
                              int tokens) {
  __global float *row = out + (size_t)offset + (size_t)get_global_id(1) * stride;
  __global float *to = residual_row(x, rowStride, lists, first, tokens, get_global_id(1), width);
  for (int n = 0; n < width; n++) {
    float y = row[n] + bias[n];
    y = ACTIVATION == ACT_GELU ? 0.5f * y * (1.0f + erf(y * 0.70710678118654752f)) : activate_float(y, ACTIVATION);
    if (to) to[n] += y; else row[n] = y;
  }
}

#ifdef DH
static inline float score(__global const float *q, __global const float *k, float scale) {
  float sum = 0.0f;
  for (int d = 0; d < DH; d++) sum += q[d] * k[d];
  return sum * scale;
}

// Softmax in two passes over the keys. Every score is computed twice, since there is no room for T of them.
__kernel void attention_online_naive(__global const float *q, int qOffset, int qStride, int queries,
                               __global const float *kv, int kOffset, int vOffset, int kvStride, int T, float scale,
                               __global float *z, int zOffset, int zStride SCORE_BIAS_ARGUMENT) {
  int t = get_global_id(0), h = get_global_id(1);
  size_t i = get_global_id(2);
  __global const float *query = q + qOffset + (i * queries + t) * qStride + h * DH;
  __global const float *keys = kv + kOffset + i * T * kvStride + h * DH;
  __global const float *values = kv + vOffset + i * T * kvStride + h * DH;
  __global float *to = z + zOffset + (i * queries + t) * zStride + h * DH;
#if SCORE_BIAS
#define BIAS(j) bias[((size_t)h * T + t) * T + (j)]
#else
#define BIAS(j) 0.0f
#endif
  float top = -INFINITY, total = 0.0f;
  for (int j = 0; j < T; j++) top = fmax(top, score(query, keys + (size_t)j * kvStride, scale) + BIAS(j));
  for (int d = 0; d < DH; d++) to[d] = 0.0f;
  for (int j = 0; j < T; j++) {
    float p = exp(score(query, keys + (size_t)j * kvStride, scale) + BIAS(j) - top);
    total += p;
    for (int d = 0; d < DH; d++) to[d] += p * values[(size_t)j * kvStride + d];
  }
  for (int d = 0; d < DH; d++) to[d] /= total;
}
#endif

__kernel void residual_add_naive(__global float *x, int rowStride, __global const float *o, __global const int *lists,
                           int dst, int base, int src, int tokens, int D) {
  int t = get_global_id(1), i = get_global_id(2);
  __global float *to = x + (size_t)lists[dst + i] * rowStride + (size_t)t * D;
  __global const float *from = x + (size_t)lists[base + i] * rowStride + (size_t)t * D;
  __global const float *add = o + ((size_t)lists[src + i] * tokens + t) * D;
  for (int d = 0; d < D; d++) to[d] = add[d] + from[d];
}

__kernel void residual_copy_naive(__global float *x, int rowStride, __global const int *lists, int dst, int src,
                                  int tokens, int D) {
  int t = get_global_id(1), i = get_global_id(2);
  __global float *to = x + (size_t)lists[dst + i] * rowStride + (size_t)t * D;
  __global const float *from = x + (size_t)lists[src + i] * rowStride + (size_t)t * D;
  for (int d = 0; d < D; d++) to[d] = from[d];
}

// As SliceEntry in Slices.swift
typedef struct {
  int dst, src, column, width, tokens, tokenCount;
} SliceEntry;

__kernel void slices_copy_naive(__global float *buffer, int offset, int slotStride, int tokenStride,
                          __global const int *lists, int first) {
  int i = get_global_id(1);
  SliceEntry entry = ((__global const SliceEntry *)(lists + first))[get_global_id(2)];
  if (i >= entry.tokenCount) return;
  size_t at = (size_t)offset + (size_t)lists[entry.tokens + i] * tokenStride + entry.column;
  for (int d = 0; d < entry.width; d++)
    buffer[at + (size_t)entry.dst * slotStride + d] = buffer[at + (size_t)entry.src * slotStride + d];
}

// w  [N, K], as in torch.nn.Linear
// ND-range: (N, M)
__kernel void gemm_naive(__global const float *a, int aOffset, int aStride, __global const float *w,
                         __global const float *bias, int K, __global float *out, int outOffset,
                         int outStride, __global float *x, int rowStride, __global const int *lists, int first,
                         int tokens) {
  int n = get_global_id(0), m = get_global_id(1);
  float sum = 0.0f;
  for (int k = 0; k < K; k++) sum += a[(size_t)aOffset + (size_t)m * aStride + k] * w[(size_t)n * K + k];
  float y = activate_float(sum + bias[n], ACTIVATION);
  __global float *to = residual_row(x, rowStride, lists, first, tokens, m, get_global_size(0));
  if (to) to[n] += y; else out[(size_t)outOffset + (size_t)m * outStride + n] = y;
}
