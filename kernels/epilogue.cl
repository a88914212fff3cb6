// The end of a matrix product, prepended to the files that need it: an activation, and the address of the result. The
// order is always act(sum + bias) + residual.

// Row m of a product belongs to pass m / tokens. Where lists[first + pass] is a row of the residual stream
// x [*, rowStride / N, N], the result is added to that row's token m % tokens, whose address this returns. Where it is
// negative, or tokens is 0, the result is stored in out, and this returns 0.
static inline __global float *residual_row(__global float *x, int rowStride, __global const int *lists, int first,
                                    int tokens, int m, int N) {
  if (tokens == 0) return 0;
  int pass = m / tokens, row = lists[first + pass];
  return row < 0 ? 0 : x + (size_t)row * rowStride + (size_t)(m - pass * tokens) * N;
}

// The activation functions of MLPs.
//
// ACTIVATION: 0 none, 1 gelu (erf), 2 gelu_new (tanh), 3 quick_gelu, 4 relu, 5 silu, 6 mish

#define ACT_NONE 0
#define ACT_GELU 1
#define ACT_GELU_NEW 2
#define ACT_QUICK_GELU 3
#define ACT_RELU 4
#define ACT_SILU 5
#define ACT_MISH 6

// A macro instead of an argument, so that a kernel is compiled for one activation only.
#ifndef ACTIVATION
#define ACTIVATION ACT_NONE
#endif

// Defined for a vector type T, so that CPUs get straight vector code.
//
// gelu(x) = max(x, 0) - |x| Phi(-|x|), and Phi(-a) = erfc(a / sqrt(2)) / 2 = 2^Q(a): this needs no branch at small
// values, and no 1 + erf, which cancels at negative ones. Q is a weighted minimax fit (scripts/fit_gelu.py); the result
// is within 2 roundings of |x| of the exact one. Past the end of the fit, at 5, Q falls without bound, so the result
// goes to max(x, 0).
//
// damped(x, y) = x / (1 + 2^y), for gelu_new, quick_gelu and silu; mish(x) = x tanh(ln(1 + e)) = x n / (n + 2) with
// n = e (e + 2) and e = e^x, which is x in float from x = 20 on; NaN stays NaN. The built-in exp is not used because
// its bits may differ between a vector and a scalar: a value must not depend on its place in a row or on the kernel
// that computes it.
#define DEFINE_ACTIVATION(T)                                                         \
  static inline T CAT(gelu_tail_, T)(T a) {                                          \
    T q = fma(a, (T)(-1.1967594e-06f), (T)(1.9771136e-05f));                         \
    q = fma(q, a, (T)(-9.4931944e-05f));                                             \
    q = fma(q, a, (T)(-0.00034725145f));                                             \
    q = fma(q, a, (T)(0.007317144f));                                                \
    q = fma(q, a, (T)(-0.052651647f));                                               \
    q = fma(q, a, (T)(-0.45916542f));                                                \
    q = fma(q, a, (T)(-1.151109f));                                                  \
    q = fma(q, a, (T)(-1.0f));                                                       \
    return CAT(exp2_, T)(q < (T)(-126.0f) ? (T)(-126.0f) : q);                       \
  }                                                                                  \
  static inline T CAT(gelu_, T)(T x) {                                               \
    T a = fabs(x);                                                                   \
    return fma(-a, CAT(gelu_tail_, T)(a), x > (T)(0.0f) ? x : (T)(0.0f));            \
  }                                                                                  \
  static inline T CAT(damped_, T)(T x, T y) {                                        \
    y = y < (T)(-126.0f) ? (T)(-126.0f) : y;                                         \
    y = y > (T)(126.0f) ? (T)(126.0f) : y;                                           \
    return x / ((T)(1.0f) + CAT(exp2_, T)(y));                                       \
  }                                                                                  \
  static inline T CAT(activate_, T)(T x, int activation) {                           \
    if (activation == ACT_GELU) return CAT(gelu_, T)(x);                             \
    if (activation == ACT_GELU_NEW) {                                                \
      T u = (T)(0.79788456080286536f) * fma((T)(0.044715f) * x * x, x, x);           \
      return CAT(damped_, T)(x, (T)(-2.8853900817779268f) * u);                      \
    }                                                                                \
    if (activation == ACT_QUICK_GELU)                                                \
      return CAT(damped_, T)(x, (T)(-2.4554669595930156f) * x);                      \
    if (activation == ACT_RELU) return fmax(x, (T)(0.0f));                           \
    if (activation == ACT_SILU)                                                      \
      return CAT(damped_, T)(x, (T)(-1.4426950408889634f) * x);                      \
    if (activation == ACT_MISH) {                                                    \
      T y = (T)(1.4426950408889634f) * x;                                            \
      y = y < (T)(-126.0f) ? (T)(-126.0f) : y;                                       \
      y = y > (T)(30.0f) ? (T)(30.0f) : y;                                           \
      T e = CAT(exp2_, T)(y), n = e * (e + (T)(2.0f));                               \
      return x * (n / (n + (T)(2.0f)));                                              \
    }                                                                                \
    return x;                                                                        \
  }

DEFINE_EXP2(float, as_float, as_int)
DEFINE_ACTIVATION(float)
#if V > 1
DEFINE_EXP2(floatv, CAT(as_float, V), CAT(as_int, V))
DEFINE_ACTIVATION(floatv)
#else
#define activate_floatv activate_float
#endif
