// Gaussian noise on patch embeddings: e[i, j] += strength * deviation(i) * normal(i, j)
//
// The normals come from the counter-based generator Philox4x32-10 (Salmon et al. 2011): block c of image i has the counter
// (c, 0, k2, k3) and the key (k0, k1); its four words make four normals by Box-Muller. So they depend on the image's four
// words alone, which the host makes of seed, image id and sample, and not on the wave.
//
// e       [n, values]          patch projections, bias included: Np * D values an image
// input   the wave's upload: from element `keys` on [*, 4], the bits of k0, k1, k2, k3 of each image

// deviations[i] = standard deviation (of the population) of e[i, :]
//
// ND-range: (n); two passes, 64 running sums that always meet in the same order
#define SUMS 64
inline float ordered_sum(const float *sums) {
  float part[SUMS];
  for (int s = 0; s < SUMS; s++) part[s] = sums[s];
  for (int width = SUMS / 2; width > 0; width /= 2)
    for (int s = 0; s < width; s++) part[s] += part[s + width];
  return part[0];
}

__kernel void noise_deviation(__global const float *e, int values, __global float *deviations) {
  __global const float *x = e + (size_t)get_global_id(0) * values;
  float sums[SUMS];
  for (int s = 0; s < SUMS; s++) sums[s] = 0.0f;
  int whole = values - values % SUMS;
  for (int j = 0; j < whole; j += SUMS)
    for (int s = 0; s < SUMS; s++) sums[s] += x[j + s];
  for (int j = whole; j < values; j++) sums[j - whole] += x[j];
  float mean = ordered_sum(sums) / values;
  for (int s = 0; s < SUMS; s++) sums[s] = 0.0f;
  for (int j = 0; j < whole; j += SUMS)
    for (int s = 0; s < SUMS; s++) {
      float c = x[j + s] - mean;
      sums[s] = fma(c, c, sums[s]);
    }
  for (int j = whole; j < values; j++) {
    float c = x[j] - mean;
    sums[j - whole] = fma(c, c, sums[j - whole]);
  }
  deviations[get_global_id(0)] = sqrt(ordered_sum(sums) / values);
}

inline uint4 philox(uint4 counter, uint2 key) {
  for (int round = 0; round < 10; round++) {
    uint high0 = mul_hi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
    uint high1 = mul_hi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
    counter = (uint4)(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
  }
  return counter;
}

// ND-range: (ceil(values / 4), n)
__kernel void noise_add(__global float *e, int values, __global const float *deviations, float strength,
                        __global const float *input, int keys, int first) {
  int block = get_global_id(0), i = get_global_id(1);
  __global const float *words = input + keys + 4 * (first + i);
  uint4 random = philox((uint4)(block, 0, as_uint(words[2]), as_uint(words[3])), (uint2)(as_uint(words[0]), as_uint(words[1])));
  // (x + 1/2) / 2^32 in (0, 1], in float
  float4 u = (convert_float4(random) + 0.5f) * 2.3283064365386963e-10f;
  float2 radius = sqrt(-2.0f * log(u.xz));
  float2 angle = 6.2831853071795865f * u.yw;
  float normals[4] = {radius.x * cos(angle.x), radius.x * sin(angle.x), radius.y * cos(angle.y), radius.y * sin(angle.y)};
  float scale = strength * deviations[i];
  __global float *to = e + (size_t)i * values;
  for (int j = 4 * block; j < min(4 * block + 4, values); j++) to[j] = fma(scale, normals[j - 4 * block], to[j]);
}
