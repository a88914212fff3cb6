// The gradients at attention's queries, keys and values from that at its output z:
//
//   dv[j] = sum_i p_ij g_i        ds_ij = p_ij (g_i . v_j - g_i . z_i)
//   dq[i] = scale sum_j ds_ij k_j        dk[j] = scale sum_i ds_ij q_i
//
// with p_ij = softmax_j(scale q_i . k_j [+ bias_ij]), of which nothing [T, T] is written (Dao et al. 2022): scores are
// computed again. attention_backward_queries goes over the keys for QL queries in the lanes of its vectors, by online
// softmax, and keeps each query's statistics; attention_backward_keys, launched after it, goes over the queries for QL
// keys.
//
// q, k, v, z  the forward pass's: slot s, token t, head h at Offset + s * Row + t * Token + h * DH; row i of
//             the gradients is of slot lists[first + i]
// g           [n, queries, width]   the gradient at z; width = H * DH
// statistics  [n, H, queries, 4]    largest score, 1 / sum of 2^(score - largest), g . z, nothing
// out         [n, T, 3 width]       gradients at q, k and v side by side; at q 0 for tokens from `queries` on
// ND-range of both: (ceil(T / QL), H, n), local (1, 1, 1)
//
// lanes.cl and backward_arguments.cl stand in front, the first with DH, QL and KU.
// SCORE_BIAS  1: bias [H, T, T] after the other arguments
// KB  keys (queries) in a block, a multiple of KU

#ifndef KB
#define KB 16
#endif

__kernel void attention_backward_queries(BACKWARD_ARGUMENTS) {
  int t0 = get_global_id(0) * QL, h = get_global_id(1);
  AT_ROW_AND_HEAD
  for (int t = max(t0, queries); t < min(t0 + QL, T); t++)
    for (int d = 0; d < DH; d++) out[(size_t)t * 3 * width + d] = 0.0f;
  if (t0 >= queries) return;

  float qt[DH * QL], gt[DH * QL];
  load_lanes(z, zToken, 0, t0, queries, qt);
  load_lanes(g, width, 0, t0, queries, gt);
  floatq own = 0.0f;  // g . z
  for (int d = 0; d < DH; d++) own = fma(LOADQ(gt + d * QL), LOADQ(qt + d * QL), own);
  load_lanes(q, qToken, 0, t0, queries, qt);

  floatq o[DH];
  for (int d = 0; d < DH; d++) o[d] = 0.0f;
  floatq highest = -INFINITY, total = 0.0f;
  for (int j0 = 0; j0 < T; j0 += KB) {
    int keys = min(KB, T - j0);
    __global const float *k0 = k + (size_t)j0 * kvToken, *v0 = v + (size_t)j0 * kvToken;
    floatq s[KB];
    floatq top = highest;
    for (int j = 0; j < keys; j += KU) {
      floatq sum[KU];
      products(qt, k0, kvToken, j, keys, sum);
#pragma unroll
      for (int u = 0; u < KU; u++) {
        s[j + u] = sum[u] * (scale * LOG2E);
#if SCORE_BIAS
        s[j + u] += row_bias(bias, 0, t0, queries, T, j0 + min(j + u, keys - 1));
#endif
        top = s[j + u] > top ? s[j + u] : top;
      }
    }
    floatq shrink = weight(highest - top);
    highest = top;
    total *= shrink;
    for (int j = 0; j < keys; j += KU) {
      floatq sum[KU];
      products(gt, v0, kvToken, j, keys, sum);
#pragma unroll
      for (int u = 0; u < KU; u++) {
        floatq p = weight(s[j + u] - top);
        total += j + u < keys ? p : (floatq)(0.0f);
        s[j + u] = p * (sum[u] - own);
      }
    }
    add_weighted(s, k0, kvToken, keys, shrink, o);
  }
  floatq inverse = 1.0f / total;
  for (int d = 0; d < DH; d++) o[d] *= inverse * scale;
  store_lanes(o, out, 3 * width, 0, t0, queries);

  float kept[3 * QL];
  STOREQ(highest, kept);
  STOREQ(inverse, kept + QL);
  STOREQ(own, kept + 2 * QL);
  for (int lane = 0; lane < QL && t0 + lane < queries; lane++)
    for (int n = 0; n < 3; n++) statistics[(t0 + lane) * 4 + n] = kept[n * QL + lane];
}

__kernel void attention_backward_keys(BACKWARD_ARGUMENTS) {
  int t0 = get_global_id(0) * QL, h = get_global_id(1);
  AT_ROW_AND_HEAD
  float kt[DH * QL], vt[DH * QL];
  load_lanes(k, kvToken, 0, t0, T, kt);
  load_lanes(v, kvToken, 0, t0, T, vt);
  floatq dk[DH], dv[DH];
  for (int d = 0; d < DH; d++) dk[d] = dv[d] = 0.0f;
  for (int i0 = 0; i0 < queries; i0 += KB) {
    int count = min(KB, queries - i0);
    __global const float *q0 = q + (size_t)i0 * qToken, *g0 = g + (size_t)i0 * width;
    floatq p[KB], ds[KB];
    for (int j = 0; j < count; j += KU) {
      floatq score[KU], slope[KU];
      products(kt, q0, qToken, j, count, score);
      products(vt, g0, width, j, count, slope);
#pragma unroll
      for (int u = 0; u < KU; u++) {
        __global const float *of = statistics + (size_t)(i0 + min(j + u, count - 1)) * 4;
        floatq s = score[u] * (scale * LOG2E);
#if SCORE_BIAS
        s += key_bias(bias, i0 + min(j + u, count - 1), t0, T);
#endif
        p[j + u] = weight(s - of[0]) * of[1];
        ds[j + u] = p[j + u] * (slope[u] - of[2]);
      }
    }
    add_weighted(p, g0, width, count, 1.0f, dv);
    add_weighted(ds, q0, qToken, count, 1.0f, dk);
  }
  for (int d = 0; d < DH; d++) dk[d] *= scale;
  store_lanes(dk, out + width, 3 * width, 0, t0, T);
  store_lanes(dv, out + 2 * width, 3 * width, 0, t0, T);
}
