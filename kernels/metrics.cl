// What each pass says of its target class, computed where the logits are.
//
// logits   [rows, C]; rows 0 ..< images are the clean passes, row `corrupted` + b is image b's corrupted pass
// input    the wave's upload: from element `labels` on [images], the target class, or -1 for the clean pass's own
// targets  [images, 2]: target and foil; foil is the most likely class but the target in the corrupted pass
// out      [rows, 5]: p[target], logit[target], logit[target] - logit[foil], KL(clean || row), argmax
// Ties go to the lower class.

static inline int argmax_but(__global const float *logits, int C, int skip) {
  int best = skip == 0 ? 1 : 0;
  for (int c = best + 1; c < C; c++)
    if (c != skip && logits[c] > logits[best]) best = c;
  return best;
}

// ND-range: (images)
__kernel void metric_targets(__global const float *logits, int C, __global const float *input, int labels,
                             int corrupted, __global float *out, int targets) {
  int b = get_global_id(0);
  int label = (int)input[labels + b];
  int target = label < 0 ? argmax_but(logits + (size_t)b * C, C, -1) : label;
  int foil = C > 1 ? argmax_but(logits + (size_t)(corrupted + b) * C, C, target) : target;
  out[targets + 2 * b] = target;
  out[targets + 2 * b + 1] = foil;
}

// log of the sum of exp(logits), less the largest logit: returns both
static inline float2 log_sum(__global const float *logits, int C) {
  float top = logits[0];
  for (int c = 1; c < C; c++) top = fmax(top, logits[c]);
  float sum = 0.0f;
  for (int c = 0; c < C; c++) sum += exp(logits[c] - top);
  return (float2)(top, log(sum));
}

// ND-range: (rows); row r belongs to image r % images
__kernel void metric_rows(__global const float *logits, int C, int images, __global float *out, int targets) {
  int r = get_global_id(0);
  int b = r % images;
  int target = (int)out[targets + 2 * b], foil = (int)out[targets + 2 * b + 1];
  __global const float *mine = logits + (size_t)r * C;
  __global const float *clean = logits + (size_t)b * C;
  float2 norm = log_sum(mine, C), cleanNorm = log_sum(clean, C);
  float kl = 0.0f;
  for (int c = 0; c < C; c++) {
    float logClean = clean[c] - cleanNorm.x - cleanNorm.y;
    float logMine = mine[c] - norm.x - norm.y;
    kl = fma(exp(logClean), logClean - logMine, kl);
  }
  __global float *to = out + (size_t)r * 5;
  to[0] = exp(mine[target] - norm.x - norm.y);
  to[1] = mine[target];
  to[2] = mine[target] - mine[foil];
  to[3] = fmax(kl, 0.0f);
  to[4] = argmax_but(mine, C, -1);
}
