// Prepended to every other file of this folder.
//
// Macros (Swift passes them from one Tuning value):
//   V   floats in one vector load: the CPU's vector width, 4 on GPUs
//   WG  work-items that share one row of D floats: 1 on CPUs, a power of two on GPUs

#ifndef V
#define V 8
#endif
#ifndef WG
#define WG 1
#endif

// Every product-sum is an explicit fma, and the compiler may not form others: the same bits on every path.
#pragma OPENCL FP_CONTRACT OFF

// The additional argument of attention's kernels where a model adds a bias to its scores
#ifndef SCORE_BIAS
#define SCORE_BIAS 0
#endif
#if SCORE_BIAS
#define SCORE_BIAS_ARGUMENT , __global const float *bias
#define SCORE_BIAS_OF(head) , bias + (size_t)(head)*T * T
#define SCORE_BIAS_VALUE , bias
#else
#define SCORE_BIAS_ARGUMENT
#define SCORE_BIAS_OF(head)
#define SCORE_BIAS_VALUE
#endif

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#if V == 1
typedef float floatv;
#define LOADV(p) (*(p))
#define STOREV(x, p) (*(p) = (x))
#else
typedef CAT(float, V) floatv;
#define LOADV(p) CAT(vload, V)(0, (p))
#define STOREV(x, p) CAT(vstore, V)((x), 0, (p))
#endif

// Four floats in global memory. vload4 promises nothing about the address, so compilers may split it into four
// accesses; on GPUs, one access of 16 bytes is wanted wherever the address allows it. The other case is written as four
// scalars: with vload4 there, compilers merge the two loads of one address and keep the alignment common to both.
static inline float4 load_global(__global const float *p) {
  return (size_t)p % 16 == 0 ? *(__global const float4 *)p : (float4)(p[0], p[1], p[2], p[3]);
}
static inline void store_global(float4 x, __global float *p) {
  if ((size_t)p % 16 == 0) {
    *(__global float4 *)p = x;
  } else {
    p[0] = x.x;
    p[1] = x.y;
    p[2] = x.z;
    p[3] = x.w;
  }
}

// LOADV and STOREV in global memory
#if V == 4
#define LOADG(p) load_global(p)
#define STOREG(x, p) store_global((x), (p))
#else
#define LOADG(p) LOADV(p)
#define STOREG(x, p) STOREV(x, p)
#endif

// Sum of a vector's lanes, always in the same order.
static inline float lane_sum(floatv x) {
#if V == 16
  float8 a = x.lo + x.hi; float4 b = a.lo + a.hi; float2 c = b.lo + b.hi; return c.x + c.y;
#elif V == 8
  float4 b = x.lo + x.hi; float2 c = b.lo + b.hi; return c.x + c.y;
#elif V == 4
  float2 c = x.lo + x.hi; return c.x + c.y;
#elif V == 2
  return x.x + x.y;
#else
  return x;
#endif
}

// Sum of `value` over the WG work-items of a group, always in the same order; all of them get the same bits.
//
// lane     the work-item's number in its group
// scratch  [WG]
static inline float group_sum(float value, int lane, __local float *scratch) {
#if WG > 1
  scratch[lane] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int half_ = WG / 2; half_ > 0; half_ /= 2) {
    if (lane < half_) scratch[lane] += scratch[lane + half_];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  value = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
#endif
  return value;
}

// Mean and biased variance of the D floats at x, computed by all work-items of a group. Two passes: the variance is
// that of the centred values.
static inline float2 group_moments(__global const float *x, int D, int lane, __local float *scratch) {
  int whole = D - D % V;
  floatv sum = 0.0f;
  float rest = 0.0f;
  for (int d = lane * V; d < whole; d += WG * V) sum += LOADG(x + d);
  for (int d = whole + lane; d < D; d += WG) rest += x[d];
  float mean = group_sum(lane_sum(sum) + rest, lane, scratch) / D;

  sum = 0.0f;
  rest = 0.0f;
  for (int d = lane * V; d < whole; d += WG * V) {
    floatv c = LOADG(x + d) - mean;
    sum = fma(c, c, sum);
  }
  for (int d = whole + lane; d < D; d += WG) {
    float c = x[d] - mean;
    rest = fma(c, c, rest);
  }
  return (float2)(mean, group_sum(lane_sum(sum) + rest, lane, scratch) / D);
}

// exp2_T: 2^x = 2^n (1 + f P(f)) for -126 <= x < 127, n the integer nearest to x (adding 1.5 * 2^23 rounds to it and
// leaves it in the low bits); NaN for NaN. P is a weighted minimax fit (scripts/fit_gelu.py); the error is at most 2.8
// roundings. Defined for a vector type T and its casts from and to integers of the same width.
#define DEFINE_EXP2(T, AS_T, AS_I)                               \
  static inline T CAT(exp2_, T)(T x) {                                  \
    T shifted = x + (T)(12582912.0f);                            \
    T f = x - (shifted - (T)(12582912.0f));                      \
    T p = fma(f, (T)(0.0013264726f), (T)(0.009671513f));         \
    p = fma(p, f, (T)(0.055507336f));                            \
    p = fma(p, f, (T)(0.24022242f));                             \
    p = fma(p, f, (T)(0.693147f));                               \
    p = fma(p, f, (T)(1.0f));                                    \
    return p * AS_T((AS_I(shifted) << 23) + 0x3f800000);         \
  }
