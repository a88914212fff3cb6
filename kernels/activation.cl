// What an MLP applies between its two linear maps, for the files that have it in front of them.
//
// ACTIVATION: 0 none, 1 gelu (erf), 2 gelu_new (tanh), 3 quick_gelu, 4 relu

#define ACT_NONE 0
#define ACT_GELU 1
#define ACT_GELU_NEW 2
#define ACT_QUICK_GELU 3
#define ACT_RELU 4

// Written once for a vector type T and its `isless` mask, so that CPUs get straight vector code.
//
// erf: below 0.93 x + x P(x^2), above 1 - exp(Q(|x|)); both polynomials are weighted minimax fits (scripts/fit_erf.py).
// At most 1.2 units in the last place over the whole range.
#define DEFINE_ACTIVATION(T)                                                         \
  inline T CAT(erf_, T)(T x) {                                                       \
    T a = fabs(x);                                                                   \
    T s = a * a;                                                                     \
    T p = fma(s, (T)(-0.0005953739f), (T)(0.00498594f));                             \
    p = fma(p, s, (T)(-0.02676172f));                                                \
    p = fma(p, s, (T)(0.112816826f));                                                \
    p = fma(p, s, (T)(-0.3761248f));                                                 \
    p = fma(p, s, (T)(0.12837915f));                                                 \
    T near = fma(p, x, x);                                                           \
    T t = fmin(a, (T)(4.0f));                                                        \
    T q = fma(t, (T)(-2.1217937e-05f), (T)(0.0004358849f));                          \
    q = fma(q, t, (T)(-0.004177963f));                                               \
    q = fma(q, t, (T)(0.025137624f));                                                \
    q = fma(q, t, (T)(-0.10830827f));                                                \
    q = fma(q, t, (T)(-0.6333212f));                                                 \
    q = fma(q, t, (T)(-1.1295277f));                                                 \
    q = fma(q, t, (T)(0.00017733494f));                                              \
    T far = copysign((T)(1.0f) - exp(q), x);                                         \
    return select(far, near, isless(a, (T)(0.93f)));                                 \
  }                                                                                  \
  inline T CAT(activate_, T)(T x, int activation) {                                  \
    if (activation == ACT_GELU)                                                      \
      return (T)(0.5f) * x * ((T)(1.0f) + CAT(erf_, T)(x * (T)(0.70710678118654752f))); \
    if (activation == ACT_GELU_NEW) {                                                \
      T u = (T)(0.79788456080286536f) * fma((T)(0.044715f) * x * x, x, x);           \
      return x / ((T)(1.0f) + exp((T)(-2.0f) * u));                                  \
    }                                                                                \
    if (activation == ACT_QUICK_GELU) return x / ((T)(1.0f) + exp((T)(-1.702f) * x)); \
    if (activation == ACT_RELU) return fmax(x, (T)(0.0f));                           \
    return x;                                                                        \
  }

DEFINE_ACTIVATION(float)
#if V > 1
DEFINE_ACTIVATION(floatv)
#else
#define activate_floatv activate_float
#endif
