// What each pass says of its target class, computed where the logits are.
//
// logits   [rows, C]; rows 0 ..< images are the clean passes, row `corrupted` + b is image b's corrupted pass
// input    the wave's upload: from element `labels` on [images], the target class, or -1 for the clean pass's own
// targets  [images, 2]: target and foil; foil is the most likely class but the target in the corrupted pass
// out      [rows, 5]: p[target], logit[target], logit[target] - logit[foil], KL(clean || row), argmax
// Ties go to the lower class.

//
// WG work-items share a row: ND-range (WG * rows) of each kernel, local (WG) where WG > 1
//
// scratch, classes  [WG] each. They are arguments because PoCL 3.1 gives some kernels' own local arrays one static
// place, where its threads overwrite each other's; metric_rows was one.
#define ROW ((int)get_global_id(0) / WG)
#define LANE ((int)get_global_id(0) % WG)

// The class but `skip` with the largest logit, in every work-item of the group.
//
// tops, classes  [WG] each
static inline int argmax_but(__global const float *logits, int C, int skip, __local float *tops, __local int *classes) {
  int best = -1;
  float top = 0.0f;
  for (int c = LANE; c < C; c += WG)
    if (c != skip && (best < 0 || logits[c] > top)) {
      best = c;
      top = logits[c];
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

// One group an image
__kernel void metric_targets(__global const float *logits, int C, __global const float *input, int labels,
                             int corrupted, __global float *out, int targets, __local float *scratch,
                             __local int *classes) {
  int b = ROW;
  // Both are always looked up: no barrier in a branch
  int label = (int)input[labels + b], best = argmax_but(logits + (size_t)b * C, C, -1, scratch, classes);
  int target = label < 0 ? best : label;
  int foil = argmax_but(logits + (size_t)(corrupted + b) * C, C, target, scratch, classes);
  if (LANE == 0) {
    out[targets + 2 * b] = target;
    out[targets + 2 * b + 1] = foil < 0 ? target : foil;  // of a single class
  }
}

// log of the sum of exp(logits - top)
static inline float log_sum(__global const float *logits, int C, float top, __local float *scratch) {
  float sum = 0.0f;
  for (int c = LANE; c < C; c += WG) sum += exp(logits[c] - top);
  return log(group_sum(sum, LANE, scratch));
}

// One group a row; row r belongs to image r % images
__kernel void metric_rows(__global const float *logits, int C, int images, __global float *out, int targets,
                          __local float *scratch, __local int *classes) {
  int r = ROW, b = r % images;
  int target = (int)out[targets + 2 * b], foil = (int)out[targets + 2 * b + 1];
  __global const float *mine = logits + (size_t)r * C;
  __global const float *clean = logits + (size_t)b * C;
  int best = argmax_but(mine, C, -1, scratch, classes);
  float top = mine[best], cleanTop = clean[argmax_but(clean, C, -1, scratch, classes)];
  float norm = log_sum(mine, C, top, scratch), cleanNorm = log_sum(clean, C, cleanTop, scratch);
  float kl = 0.0f;
  for (int c = LANE; c < C; c += WG) {
    float logClean = clean[c] - cleanTop - cleanNorm;
    float logMine = mine[c] - top - norm;
    kl = fma(exp(logClean), logClean - logMine, kl);
  }
  kl = group_sum(kl, LANE, scratch);
  if (LANE == 0) {
    __global float *to = out + (size_t)r * 5;
    to[0] = exp(mine[target] - top - norm);
    to[1] = mine[target];
    to[2] = mine[target] - mine[foil];
    to[3] = fmax(kl, 0.0f);
    to[4] = best;
  }
}
