// out[i, :] = d metric / d logits, for row rows[i] of the logits, image images[i] and metric metrics[i]
//
//   0  log-odds          1 at the target, -softmax over the other classes elsewhere; 0 if there is a single class
//   1  logit difference  1 at the target, -1 at the foil
//   2  logit             1 at the target
//
// logits   [*, C]
// lists    rows, images and metrics: n entries each, from the offsets of these names on
// targets  image b's target and foil at offset + 2 b, as metric_targets wrote them
// out      [n, C]
// scratch  [WG]; an argument as in metrics.cl
// ND-range: (WG * n), local (WG) where WG > 1

__kernel void metric_gradient(__global const float *logits, int C, __global const int *lists, int rows, int images,
                              int metrics, __global const float *targets, int offset, __global float *out,
                              __local float *scratch) {
  int i = get_global_id(0) / WG, lane = get_global_id(0) % WG;
  int image = lists[images + i], metric = lists[metrics + i];
  int target = (int)targets[offset + 2 * image], foil = (int)targets[offset + 2 * image + 1];
  __global const float *mine = logits + (size_t)lists[rows + i] * C;
  __global float *to = out + (size_t)i * C;

  // Computed for every metric: no barrier in a branch
  float top = -INFINITY;
  for (int c = lane; c < C; c += WG)
    if (c != target) top = fmax(top, mine[c]);
#if WG > 1
  scratch[lane] = top;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int half_ = WG / 2; half_ > 0; half_ /= 2) {
    if (lane < half_) scratch[lane] = fmax(scratch[lane], scratch[lane + half_]);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  top = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
#endif
  float sum = 0.0f;
  for (int c = lane; c < C; c += WG)
    if (c != target) sum += exp(mine[c] - top);
  sum = group_sum(sum, lane, scratch);
  for (int c = lane; c < C; c += WG) {
    float slope = c == target ? 1.0f : 0.0f;
    if (metric == 0) slope = C == 1 ? 0.0f : c == target ? 1.0f : -exp(mine[c] - top) / sum;
    if (metric == 1 && c == foil) slope -= 1.0f;
    to[c] = slope;
  }
}
