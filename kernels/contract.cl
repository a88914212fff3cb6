// First-order effect of a patch: the gradient times the difference of activations, summed over groups of columns.
//
//   contract         out[o, t, group] = [itself +] weight * sum over the group's columns c of g[g, t, c] (s[s, t, c] -
//                    r[r, t, c])
//   contract_summed  out[o, group]    = [itself +] weight * sum over tokens t too
//
// A group is `width` columns: all of them, a head's, or one neuron. It is shared by `share` work-items, a power of two
// up to WG, each with its own vectors of columns; share is a function of width alone.
//
// g, s, r  row i, token t, column c at Offset + i * Row + t * Token + c
// lists    ContractEntry structs from `first` on
// out      from outOffset on [*, tokens, groups], [*, groups]
// scratch  [WG]
// ND-range: contract (WG, tokens, n), contract_summed (WG, pieces of groups, n); local (WG, 1, 1)

// As ContractEntry in Contract.swift
typedef struct {
  int g, s, r, out;  // rows
} ContractEntry;

// The sum over one token's columns of a group: vectors d, d + step, ..., then the remaining columns.
static inline float contract_columns(__global const float *g, __global const float *s, __global const float *r,
                                     int width, int part, int share) {
  int whole = width - width % V;
  floatv sum = 0.0f;
  float rest = 0.0f;
  for (int d = part * V; d < whole; d += share * V) sum = fma(LOADG(g + d), LOADG(s + d) - LOADG(r + d), sum);
  for (int d = whole + part; d < width; d += share) rest = fma(g[d], s[d] - r[d], rest);
  return lane_sum(sum) + rest;
}

// The sum over the `share` work-items of a group of columns, returned to the first of them.
static inline float shared_sum(float value, int lane, int share, __local float *scratch) {
#if WG > 1
  scratch[lane] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int half_ = share / 2; half_ > 0; half_ /= 2) {
    if (lane % share < half_) scratch[lane] += scratch[lane + half_];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  value = scratch[lane];
  barrier(CLK_LOCAL_MEM_FENCE);
#endif
  return value;
}

#define CONTRACT_ARGUMENTS                                                                                     \
  __global const float *g, int gOffset, int gRow, int gToken, __global const float *s, int sOffset, int sRow,  \
      int sToken, __global const float *r, int rOffset, int rRow, int rToken, int tokens, int groups, int width, \
      int share, __global const int *lists, int first, float weight, int accumulate, __global float *out, \
      int outOffset, __local float *scratch

__kernel void contract(CONTRACT_ARGUMENTS) {
  int lane = get_local_id(0);
  size_t t = get_global_id(1);
  ContractEntry entry = ((__global const ContractEntry *)(lists + first))[get_global_id(2)];
  g += (size_t)gOffset + (size_t)entry.g * gRow + t * gToken;
  s += (size_t)sOffset + (size_t)entry.s * sRow + t * sToken;
  r += (size_t)rOffset + (size_t)entry.r * rRow + t * rToken;
  out += (size_t)outOffset + ((size_t)entry.out * tokens + t) * groups;
  if (width == 1) {
    int whole = groups - groups % V;
    for (int c = lane * V; c < whole; c += WG * V) {
      floatv product = LOADG(g + c) * (LOADG(s + c) - LOADG(r + c));
      STOREG(fma((floatv)(weight), product, accumulate ? LOADG(out + c) : (floatv)(0.0f)), out + c);
    }
    for (int c = whole + lane; c < groups; c += WG)
      out[c] = fma(weight, g[c] * (s[c] - r[c]), accumulate ? out[c] : 0.0f);
    return;
  }
  // All work-items reach the same barriers: those past the last group add nothing.
  for (int start = 0; start < groups; start += WG / share) {
    int group = start + lane / share, at = group * width;
    float sum = group < groups ? contract_columns(g + at, s + at, r + at, width, lane % share, share) : 0.0f;
    sum = shared_sum(sum, lane, share, scratch);
    if (group < groups && lane % share == 0) out[group] = fma(weight, sum, accumulate ? out[group] : 0.0f);
  }
}

__kernel void contract_summed(CONTRACT_ARGUMENTS) {
  int lane = get_local_id(0), piece = get_global_id(1);
  ContractEntry entry = ((__global const ContractEntry *)(lists + first))[get_global_id(2)];
  g += (size_t)gOffset + (size_t)entry.g * gRow;
  s += (size_t)sOffset + (size_t)entry.s * sRow;
  r += (size_t)rOffset + (size_t)entry.r * rRow;
  out += (size_t)outOffset + (size_t)entry.out * groups;
  if (width == 1) {
    int c = (piece * WG + lane) * V;
    if (c + V <= groups) {
      floatv sum = 0.0f;
      for (size_t t = 0; t < tokens; t++)
        sum = fma(LOADG(g + t * gToken + c), LOADG(s + t * sToken + c) - LOADG(r + t * rToken + c), sum);
      STOREG(fma((floatv)(weight), sum, accumulate ? LOADG(out + c) : (floatv)(0.0f)), out + c);
      return;
    }
    for (; c < groups; c++) {
      float sum = 0.0f;
      for (size_t t = 0; t < tokens; t++)
        sum = fma(g[t * gToken + c], s[t * sToken + c] - r[t * rToken + c], sum);
      out[c] = fma(weight, sum, accumulate ? out[c] : 0.0f);
    }
    return;
  }
  int group = piece * (WG / share) + lane / share, at = group * width;
  float sum = 0.0f;
  if (group < groups)
    for (size_t t = 0; t < tokens; t++)
      sum += contract_columns(g + t * gToken + at, s + t * sToken + at, r + t * rToken + at, width, lane % share,
                              share);
  sum = shared_sum(sum, lane, share, scratch);
  if (group < groups && lane % share == 0) out[group] = fma(weight, sum, accumulate ? out[group] : 0.0f);
}
