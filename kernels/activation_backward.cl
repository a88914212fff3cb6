// g[i, :] *= act'(in[lists[first + i], :])
//
// in          slots of `elements` floats from `offset` on: the hidden layer before its activation
// g           [n, elements]
// activation  as in epilogue.cl, which is prepended
// ND-range: (ceil(elements / V), n)

// The derivative act'(x), for a vector type T.
//
// gelu' = Phi(x) + x phi(x), with Phi from the tail of epilogue.cl's gelu. The others but relu are x s(x), where s is a
// sigmoid or mish's tanh: (x s)' = s + x s'. A sigmoid is s = 1 / (1 + 2^y), and 1 - s is 2^y s.
#define DEFINE_SLOPE(T)                                                                  \
  static inline T CAT(sigmoid_slope_, T)(T x, T y, T inner) {                            \
    y = y < (T)(-126.0f) ? (T)(-126.0f) : y;                                             \
    y = y > (T)(126.0f) ? (T)(126.0f) : y;                                               \
    T e = CAT(exp2_, T)(y), s = (T)(1.0f) / ((T)(1.0f) + e);                             \
    return s * fma(x * inner, e * s, (T)(1.0f));                                         \
  }                                                                                      \
  static inline T CAT(slope_, T)(T x, int activation) {                                  \
    if (activation == ACT_GELU) {                                                        \
      T a = fabs(x);                                                                     \
      T density = (T)(-0.72134752044448171f) * a * a;                                    \
      density = CAT(exp2_, T)(density < (T)(-126.0f) ? (T)(-126.0f) : density);          \
      T tail = CAT(gelu_tail_, T)(a);                                                    \
      T cumulative = x > (T)(0.0f) ? (T)(1.0f) - tail : tail;                            \
      return fma(x * (T)(0.3989422804014327f), density, cumulative);                     \
    }                                                                                    \
    if (activation == ACT_GELU_NEW) {                                                    \
      T square = x * x;                                                                  \
      T u = (T)(0.79788456080286536f) * fma((T)(0.044715f) * square, x, x);              \
      T inner = (T)(1.5957691216057308f) * fma((T)(0.134145f), square, (T)(1.0f));       \
      return CAT(sigmoid_slope_, T)(x, (T)(-2.8853900817779268f) * u, inner);            \
    }                                                                                    \
    if (activation == ACT_QUICK_GELU)                                                    \
      return CAT(sigmoid_slope_, T)(x, (T)(-2.4554669595930156f) * x, (T)(1.702f));      \
    if (activation == ACT_RELU) return x > (T)(0.0f) ? (T)(1.0f) : (T)(0.0f);            \
    if (activation == ACT_SILU)                                                          \
      return CAT(sigmoid_slope_, T)(x, (T)(-1.4426950408889634f) * x, (T)(1.0f));        \
    if (activation == ACT_MISH) {                                                        \
      T y = (T)(1.4426950408889634f) * x;                                                \
      y = y < (T)(-126.0f) ? (T)(-126.0f) : y;                                           \
      y = y > (T)(30.0f) ? (T)(30.0f) : y;                                               \
      T e = CAT(exp2_, T)(y), n = e * (e + (T)(2.0f)), inverse = (T)(1.0f) / (n + (T)(2.0f)); \
      return inverse * fma(x * ((T)(4.0f) * inverse), e * (e + (T)(1.0f)), n);           \
    }                                                                                    \
    return (T)(1.0f);                                                                    \
  }

DEFINE_SLOPE(float)
#if V > 1
DEFINE_SLOPE(floatv)
#else
#define slope_floatv slope_float
#endif

__kernel void activation_backward(__global const float *in, int offset, __global const int *lists, int first,
                                  int elements, int activation, __global float *g) {
  int d = get_global_id(0) * V, i = get_global_id(1);
  __global const float *x = in + (size_t)offset + (size_t)lists[first + i] * elements;
  g += (size_t)i * elements;
  if (d + V <= elements) {
    STOREG(LOADG(g + d) * slope_floatv(LOADG(x + d), activation), g + d);
  } else {
    for (; d < elements; d++) g[d] *= slope_float(x[d], activation);
  }
}

// For a gated MLP, act(gate) up: out[i, t] = (g up act'(gate), g act(gate)), side by side
//
// in   slots of `tokens` rows [2 * width] from `offset` on: gate and up
// g    [n, tokens, width]
// out  [n, tokens, 2 * width]
// ND-range: (ceil(width / V), tokens, n)
__kernel void activation_backward_gated(__global const float *in, int offset, __global const int *lists, int first,
                                        int width, int activation, __global const float *g, __global float *out) {
  int d = get_global_id(0) * V, t = get_global_id(1), tokens = get_global_size(1), i = get_global_id(2);
  __global const float *x = in + (size_t)offset + ((size_t)lists[first + i] * tokens + t) * 2 * width;
  g += ((size_t)i * tokens + t) * width;
  out += ((size_t)i * tokens + t) * 2 * width;
  if (d + V <= width) {
    floatv gate = LOADG(x + d), own = LOADG(g + d);
    STOREG(own * LOADG(x + width + d) * slope_floatv(gate, activation), out + d);
    STOREG(own * activate_floatv(gate, activation), out + width + d);
  } else {
    for (; d < width; d++) {
      out[d] = g[d] * x[width + d] * slope_float(x[d], activation);
      out[width + d] = g[d] * activate_float(x[d], activation);
    }
  }
}
