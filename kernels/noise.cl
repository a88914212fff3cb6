// Gaussian noise on patch embeddings: e[i, j] += strength * deviation(i) * normal(i, j)
//
// The normals come from the counter-based generator Philox4x32-10 (Salmon et al. 2011): block c of image i has the
// counter (c, 0, k2, k3) and the key (k0, k1); its four words give four normals by Box-Muller. So they depend on the
// image's four words alone, which the host derives from seed, image id and sample, and not on the wave.
//
// e       [n, values]          patch projections, bias included: Np * D values per image
// keys    [*, 4] from element `offset` on: k0, k1, k2, k3 of each image

// deviations[i] = standard deviation (of the population) of e[i, :]
//
// ND-range: CPUs (n); GPUs (n * WG), local (WG): a group per image
#if WG > 1
__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void noise_deviation(__global const float *e, int values, __global float *deviations) {
  __local float scratch[WG];
  int lane = get_local_id(0), i = get_group_id(0);
  float variance = group_moments(e + (size_t)i * values, values, lane, scratch).y;
  if (lane == 0) deviations[i] = sqrt(variance);
}
#else
// Two passes; 64 running sums, always combined in the same order
#define SUMS 64
static inline float ordered_sum(const float *sums) {
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
#endif

// Blocks of four normals, one per lane of a vector as wide as the CPU's; on GPUs, one per work-item.
#if WG > 1 || V == 1
#define LANES 1
typedef uint uintl;
typedef float floatl;
#define FLOATL convert_float
#define LOADL(p) (*(p))
#define STOREL(x, p) (*(p) = (x))
#else
#define LANES V
typedef CAT(uint, V) uintl;
typedef floatv floatl;
#define FLOATL CAT(convert_float, V)
#define LOADL(p) LOADV(p)
#define STOREL(x, p) STOREV(x, p)
#endif

// Philox4x32-10 of counters (c[0], c[1], c[2], c[3]), one per lane, in place
static inline void philox(uintl *c, uint k0, uint k1) {
  for (int round = 0; round < 10; round++) {
    uintl high0 = mul_hi((uintl)(0xD2511F53u), c[0]), low0 = 0xD2511F53u * c[0];
    uintl high1 = mul_hi((uintl)(0xCD9E8D57u), c[2]), low1 = 0xCD9E8D57u * c[2];
    c[0] = high1 ^ c[1] ^ k0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ k1;
    c[3] = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

// ND-range: (ceil(values / (4 * LANES)) or more, n)
__kernel void noise_add(__global float *e, int values, __global const float *deviations, float strength,
                        __global const uint *keys, int offset, int first) {
  int block = get_global_id(0) * LANES, i = get_global_id(1);
  if (4 * block >= values) return;
  __global const uint *words = keys + offset + 4 * (first + i);
  uint lanes[LANES];
  for (int lane = 0; lane < LANES; lane++) lanes[lane] = block + lane;
  uintl c[4] = {LOADL(lanes), 0, words[2], words[3]};
  philox(c, words[0], words[1]);

  // [4, LANES]
  float normals[4 * LANES];
  for (int pair = 0; pair < 2; pair++) {
    // (x + 1/2) / 2^32 in (0, 1], in float
    floatl u = (FLOATL(c[2 * pair]) + 0.5f) * 2.3283064365386963e-10f;
    floatl angle = 6.2831853071795865f * ((FLOATL(c[2 * pair + 1]) + 0.5f) * 2.3283064365386963e-10f);
    floatl radius = sqrt(-2.0f * log(u));
    STOREL(radius * cos(angle), normals + 2 * pair * LANES);
    STOREL(radius * sin(angle), normals + (2 * pair + 1) * LANES);
  }
  float scale = strength * deviations[i];
  __global float *to = e + (size_t)i * values + 4 * block;
  int count = min(4 * LANES, values - 4 * block);
#if LANES == 1
  if (count == 4) {
    store_global(fma((float4)(scale), vload4(0, normals), load_global(to)), to);
    return;
  }
#endif
  for (int j = 0; j < count; j++) to[j] = fma(scale, normals[j % 4 * LANES + j / 4], to[j]);
}
