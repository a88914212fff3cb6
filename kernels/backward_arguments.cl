// Arguments of the kernels of attention's backward pass, and the start of a row and head in each.
//
// q, k, v, z  of the forward pass: slot s, token t, head h at Offset + s * Row + t * Token + h * DH
// g, out, statistics  at row i, whose slot is lists[first + i]

#define BACKWARD_ARGUMENTS                                                                                           \
  __global const float *q, int qOffset, int qRow, int qToken, int queries, __global const float *kv, int kOffset,    \
      int vOffset, int kvRow, int kvToken, int T, __global const float *z, int zOffset, int zRow, int zToken,        \
      float scale, __global const int *lists, int first, __global const float *g, __global float *statistics,        \
      __global float *out, int width SCORE_BIAS_ARGUMENT

#if SCORE_BIAS
#define AT_BIAS bias += (size_t)h * T * T;
#else
#define AT_BIAS
#endif

#define LOG2E 1.44269504088896341f  // scores in powers of two

// Moves the arguments to row i, head h and slot `slot`
#define AT_ROW_AND_HEAD                                                   \
  size_t i = get_global_id(2), slot = lists[first + i];                   \
  __global const float *k = kv + kOffset + slot * kvRow + h * DH;         \
  __global const float *v = kv + vOffset + slot * kvRow + h * DH;         \
  q += qOffset + slot * qRow + h * DH;                                    \
  z += zOffset + slot * zRow + h * DH;                                    \
  g += i * queries * width + h * DH;                                      \
  statistics += (i * get_global_size(1) + h) * queries * 4;               \
  out += i * T * 3 * width + h * DH;                                      \
  AT_BIAS
