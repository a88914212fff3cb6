// Measures the device's peak rates, to which `vitpatch bench` compares its results.

// Independent chains of fma: ROUNDS x CHAINS x V fma per work-item.
//
// out  [work-items]
// ND-range: (work-items)
#ifndef CHAINS
#define CHAINS 16
#endif
#ifndef ROUNDS
#define ROUNDS 4096
#endif
__kernel void peak_fma(__global float *out, float seed) {
  floatv chain[CHAINS];
#pragma unroll
  for (int c = 0; c < CHAINS; c++) chain[c] = seed * (c + 1);
  floatv factor = 1.0f - seed, add = seed;
  for (int round = 0; round < ROUNDS; round++) {
#pragma unroll
    for (int c = 0; c < CHAINS; c++) chain[c] = fma(chain[c], factor, add);
  }
  floatv sum = 0.0f;
#pragma unroll
  for (int c = 0; c < CHAINS; c++) sum += chain[c];
  out[get_global_id(0)] = lane_sum(sum);
}

// out = in: one read and one write of every value
//
// in, out  [work-items * V * COPIES]
// ND-range: (work-items); a group's items read neighbouring vectors
#ifndef COPIES
#define COPIES 1
#endif
__kernel void peak_copy(__global const float *in, __global float *out) {
  size_t group = get_group_id(0) * get_local_size(0) * COPIES;
  for (int c = 0; c < COPIES; c++) {
    size_t at = (group + c * get_local_size(0) + get_local_id(0)) * V;
    STOREG(LOADG(in + at), out + at);
  }
}
