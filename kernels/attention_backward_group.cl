// The kernels of attention_backward.cl for GPUs: work-groups share rows through local memory.
//
// Formulas, arguments and results as there. A group owns BQ rows of a head: queries with their gradients at z, or keys
// with their values. It meets OTHERS rows of the other side at a time. All products are register tiles
// (attention_tiles.cl, in front of this file).
//
// ND-range of both: (ceil(T / BQ) * ITEMS, H, n), local (ITEMS, 1, 1)

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_backward_queries_group(BACKWARD_ARGUMENTS) {
  LOCAL_ARRAY(qs, DH * BQ)
  LOCAL_ARRAY(gs, DH * BQ)
  LOCAL_ARRAY(block, OTHERS * D4 * 4)
  LOCAL_ARRAY(ps, OTHERS * P_STRIDE)
  LOCAL_ARRAY(shared, TX * P_STRIDE)
  int item = get_local_id(0), tx = item % TX, row = item / TX * 4;
  int t0 = get_group_id(0) * BQ, h = get_global_id(1);
  AT_ROW_AND_HEAD
  int keysAll = t0 < queries ? T : 0;  // nothing to do for others; all work-items must meet the same barriers
  load_columns(q, qToken, 0, t0, queries, BQ, qs);
  load_columns(g, width, 0, t0, queries, BQ, gs);
  barrier(CLK_LOCAL_MEM_FENCE);

  float own[4];  // g . z
#pragma unroll
  for (int r = 0; r < 4; r++) {
    __global const float *of = z + (size_t)min(t0 + row + r, queries - 1) * zToken;
    own[r] = 0.0f;
    for (int d = tx; d < DH; d += TX) own[r] = fma(gs[d * BQ + row + r], of[d], own[r]);
  }
  put_shared(own, row, tx, shared);
  barrier(CLK_LOCAL_MEM_FENCE);
  sum_shared(shared, row, own);

  float4 o[4][COLS];
  float highest[4], total[4];
#pragma unroll
  for (int r = 0; r < 4; r++) {
    highest[r] = -INFINITY;
    total[r] = 0.0f;
#pragma unroll
    for (int c = 0; c < COLS; c++) o[r][c] = 0.0f;
  }
  for (int j0 = 0; j0 < keysAll; j0 += OTHERS) {
    int keys = min(OTHERS, T - j0);
    int4 isKey = 4 * tx + (int4)(0, 1, 2, 3) < (int4)(keys);
    float4 s[4], slope[4];
    float tops[4];
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the last block's keys and weights any more
    load_columns(k, kvToken, 0, j0, T, OTHERS, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply(qs, block, row, tx, s);
#pragma unroll
    for (int r = 0; r < 4; r++) {
      s[r] *= scale * LOG2E;
#if SCORE_BIAS
      __global const float *of = bias + (size_t)min(t0 + row + r, queries - 1) * T;
      int4 key = min(j0 + 4 * tx + (int4)(0, 1, 2, 3), (int4)(T - 1));
      s[r] += (float4)(of[key.x], of[key.y], of[key.z], of[key.w]) * LOG2E;
#endif
      s[r] = isKey ? s[r] : (float4)(-INFINITY);
      tops[r] = largest_lane(s[r]);
    }
    put_shared(tops, row, tx, shared);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the keys any more either
    load_columns(v, kvToken, 0, j0, T, OTHERS, block);
    largest_shared(shared, row, tops);
#pragma unroll
    for (int r = 0; r < 4; r++) {
      float top = tops[r] > highest[r] ? tops[r] : highest[r];
      float shrink = weight(highest[r] - top);
      highest[r] = top;
      s[r] = isKey ? weights(s[r] - top) : (float4)(0.0f);
      total[r] = total[r] * shrink + ((s[r].x + s[r].y) + (s[r].z + s[r].w));
#pragma unroll
      for (int c = 0; c < COLS; c++) o[r][c] *= shrink;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply(gs, block, row, tx, slope);
#pragma unroll
    for (int r = 0; r < 4; r++) s[r] *= slope[r] - own[r];
    put_weights(s, row, tx, ps);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the values any more
    load_rows(k, kvToken, j0, keys, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    add_weighted(ps, block, keys, row, tx, o);
  }

  barrier(CLK_LOCAL_MEM_FENCE);
  put_shared(total, row, tx, shared);
  barrier(CLK_LOCAL_MEM_FENCE);
  sum_shared(shared, row, total);
#pragma unroll
  for (int r = 0; r < 4; r++) {
    int t = t0 + row + r;
    if (t >= T) continue;
    float inverse = t < queries ? 1.0f / total[r] : 0.0f;
#pragma unroll
    for (int c = 0; c < COLS; c++) o[r][c] = t < queries ? o[r][c] * (inverse * scale) : (float4)(0.0f);
    store_row(o[r], tx, out + (size_t)t * 3 * width);
    if (t < queries && tx == 0) store_global((float4)(highest[r], inverse, own[r], 0.0f), statistics + (size_t)t * 4);
  }
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_backward_keys_group(BACKWARD_ARGUMENTS) {
  LOCAL_ARRAY(ks, DH * BQ)
  LOCAL_ARRAY(vs, DH * BQ)
  LOCAL_ARRAY(block, OTHERS * D4 * 4)
  LOCAL_ARRAY(ps, OTHERS * P_STRIDE)
  LOCAL_ARRAY(slopes, OTHERS * P_STRIDE)
  int item = get_local_id(0), tx = item % TX, row = item / TX * 4;
  int t0 = get_group_id(0) * BQ, h = get_global_id(1);
  AT_ROW_AND_HEAD
  load_columns(k, kvToken, 0, t0, T, BQ, ks);
  load_columns(v, kvToken, 0, t0, T, BQ, vs);
  float4 dk[4][COLS], dv[4][COLS];
#pragma unroll
  for (int r = 0; r < 4; r++)
#pragma unroll
    for (int c = 0; c < COLS; c++) dk[r][c] = dv[r][c] = 0.0f;

  for (int i0 = 0; i0 < queries; i0 += OTHERS) {
    int count = min(OTHERS, queries - i0);
    float4 s[4], slope[4];
    // Largest score, 1 / sum and g . z of the work-item's four queries
    float kept[3][4];
#pragma unroll
    for (int u = 0; u < 4; u++) {
      float4 of = load_global(statistics + (size_t)min(i0 + 4 * tx + u, queries - 1) * 4);
      kept[0][u] = of.x;
      kept[1][u] = of.y;
      kept[2][u] = of.z;
    }
    float4 top = (float4)(kept[0][0], kept[0][1], kept[0][2], kept[0][3]);
    float4 inverse = (float4)(kept[1][0], kept[1][1], kept[1][2], kept[1][3]);
    float4 own = (float4)(kept[2][0], kept[2][1], kept[2][2], kept[2][3]);
    barrier(CLK_LOCAL_MEM_FENCE);  // nobody reads the last block's queries and weights any more
    load_columns(q, qToken, 0, i0, queries, OTHERS, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply(ks, block, row, tx, s);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_columns(g, width, 0, i0, queries, OTHERS, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply(vs, block, row, tx, slope);
#pragma unroll
    for (int r = 0; r < 4; r++) {
      s[r] *= scale * LOG2E;
#if SCORE_BIAS
      __global const float *of = bias + min(t0 + row + r, T - 1);
      int4 query = min(i0 + 4 * tx + (int4)(0, 1, 2, 3), (int4)(queries - 1));
      s[r] += (float4)(of[(size_t)query.x * T], of[(size_t)query.y * T], of[(size_t)query.z * T],
                       of[(size_t)query.w * T]) * LOG2E;
#endif
      s[r] = weights(s[r] - top) * inverse;
      slope[r] = s[r] * (slope[r] - own);
    }
    put_weights(s, row, tx, ps);
    put_weights(slope, row, tx, slopes);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_rows(g, width, i0, count, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    add_weighted(ps, block, count, row, tx, dv);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_rows(q, qToken, i0, count, block);
    barrier(CLK_LOCAL_MEM_FENCE);
    add_weighted(slopes, block, count, row, tx, dk);
  }
#pragma unroll
  for (int r = 0; r < 4; r++) {
    int t = t0 + row + r;
    if (t >= T) continue;
#pragma unroll
    for (int c = 0; c < COLS; c++) dk[r][c] *= scale;
    store_row(dk[r], tx, out + (size_t)t * 3 * width + width);
    store_row(dv[r], tx, out + (size_t)t * 3 * width + 2 * width);
  }
}
