// Metrics of each pass, computed on the device from the logits.
//
// logits   [rows, C]; rows 0 ..< images are the clean passes, and row r belongs to image r % images
// labels   [images] target classes, -1 for the clean pass's prediction; then [images] foils, -1 for the class, other
//          than the target, with the largest sum of logits of rows `first` + b and `second` + b, which may be the same
// targets  [images, 2]: target and foil
// out      [rows, 6]: p[target], logit[target], logit[target] - logit[foil], KL(clean || row), argmax,
//          logit[target] - logsumexp(the other logits)
// Ties go to the lower class.
//
// WG work-items share a row: ND-range (WG * rows) of each kernel, local (WG) where WG > 1
//
// scratch, classes  [WG] each. They are arguments because PoCL 3.1 puts the local arrays of some kernels (metric_rows
// was one) into one static place, where its threads overwrite each other's values.
#define ROW ((int)get_global_id(0) / WG)
#define LANE ((int)get_global_id(0) % WG)

// The class other than `skip` with the largest sum of two rows' logits, returned to every work-item of the group. For a
// single row, pass it twice: doubling is exact.
//
// tops, classes  [WG] each
static inline int argmax_of_sum(__global const float *first, __global const float *second, int C, int skip,
                                __local float *tops, __local int *classes) {
  int best = -1;
  float top = 0.0f;
  for (int c = LANE; c < C; c += WG)
    if (c != skip) {
      // Half of the sum, so that finite logits never give an infinite one
      float value = 0.5f * first[c] + 0.5f * second[c];
      if (best < 0 || value > top) {
        best = c;
        top = value;
      }
    }
#if WG > 1
  int lane = LANE;
  tops[lane] = top;
  classes[lane] = best;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int half_ = WG / 2; half_ > 0; half_ /= 2) {
    if (lane < half_) {
      float mine = tops[lane], other = tops[lane + half_];
      int own = classes[lane], candidate = classes[lane + half_];
      if (candidate >= 0 && (own < 0 || other > mine || (other == mine && candidate < own))) {
        tops[lane] = other;
        classes[lane] = candidate;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  best = classes[0];
  barrier(CLK_LOCAL_MEM_FENCE);
#endif
  return best;
}

// The class other than `skip` with the largest logit
static inline int argmax_but(__global const float *logits, int C, int skip, __local float *tops, __local int *classes) {
  return argmax_of_sum(logits, logits, C, skip, tops, classes);
}

// One group per image
__kernel void metric_targets(__global const float *logits, int C, __global const int *labels, int images,
                             int first, int second, __global float *out, int targets, __local float *scratch,
                             __local int *classes) {
  int b = ROW;
  // Both are always computed: no barrier in a branch
  int label = labels[b], given = labels[images + b], best = argmax_but(logits + (size_t)b * C, C, -1, scratch, classes);
  int target = label < 0 ? best : label;
  __global const float *a = logits + (size_t)(first + b) * C, *z = logits + (size_t)(second + b) * C;
  int other = argmax_of_sum(a, z, C, target, scratch, classes);
  int foil = given < 0 ? other : given;
  if (LANE == 0) {
    out[targets + 2 * b] = target;
    out[targets + 2 * b + 1] = foil < 0 ? target : foil;  // if there is a single class
  }
}

// log of the sum of exp(logits - top) over all classes other than `skip`
static inline float log_sum(__global const float *logits, int C, int skip, float top, __local float *scratch) {
  float sum = 0.0f;
  for (int c = LANE; c < C; c += WG)
    if (c != skip) sum += exp(logits[c] - top);
  return log(group_sum(sum, LANE, scratch));
}

// One group per row; row r belongs to image r % images
__kernel void metric_rows(__global const float *logits, int C, int images, __global float *out, int targets,
                          __local float *scratch, __local int *classes) {
  int r = ROW, b = r % images;
  int target = (int)out[targets + 2 * b], foil = (int)out[targets + 2 * b + 1];
  __global const float *mine = logits + (size_t)r * C;
  __global const float *clean = logits + (size_t)b * C;
  int best = argmax_but(mine, C, -1, scratch, classes);
  float top = mine[best], cleanTop = clean[argmax_but(clean, C, -1, scratch, classes)];
  float norm = log_sum(mine, C, -1, top, scratch), cleanNorm = log_sum(clean, C, -1, cleanTop, scratch);
  // Relative to the largest of the other logits instead of 1 - p, which loses precision where p is near 1. A single
  // class has no other.
  int other = argmax_but(mine, C, target, scratch, classes);
  float otherTop = other < 0 ? 0.0f : mine[other];
  float otherNorm = log_sum(mine, C, target, otherTop, scratch);
  float kl = 0.0f;
  for (int c = LANE; c < C; c += WG) {
    float logClean = clean[c] - cleanTop - cleanNorm;
    float logMine = mine[c] - top - norm;
    kl = fma(exp(logClean), logClean - logMine, kl);
  }
  kl = group_sum(kl, LANE, scratch);
  if (LANE == 0) {
    __global float *to = out + (size_t)r * 6;
    to[0] = exp(mine[target] - top - norm);
    to[1] = mine[target];
    to[2] = mine[target] - mine[foil];
    to[3] = fmax(kl, 0.0f);
    to[4] = best;
    to[5] = other < 0 ? 0.0f : mine[target] - otherTop - otherNorm;
  }
}
