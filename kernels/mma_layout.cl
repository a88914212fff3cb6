// Layout of gemm_mma.cl's local memory and of elements over the lanes of a warp; prepended to it. Plain C, so that a
// test can check it against a model of ldmatrix and mma.sync (MMALayoutTests).
//
// A row of a block is 64 bytes, four chunks of 16. Chunk c of row r is stored as chunk c ^ (r / 2 % 4), so that the
// eight rows of an ldmatrix lie in different banks. Every tile of 16 rows has the same order.

static inline int chunk_place(int row, int chunk) { return chunk ^ (row / 2 % 4); }

// Byte offset from a 16-row tile's start to the row that `lane` passes to ldmatrix.x4. Its four matrices are, for a,
// rows 0-7 and 8-15 of one chunk, then of the next; for w, both chunks of rows 0-7, then of rows 8-15. `pair` 0 is
// chunks 0 and 1, `pair` 1 is chunks 2 and 3.
static inline int a_offset(int lane, int pair) {
  int row = lane % 16;
  return row * 64 + chunk_place(row, 2 * pair + lane / 16) * 16;
}
static inline int w_offset(int lane, int pair) {
  int row = lane % 8 + lane / 16 * 8;
  return row * 64 + chunk_place(row, 2 * pair + lane / 8 % 2) * 16;
}

// Row and column, in a tile of 16 x 8, of element e of a lane's four accumulators
static inline int sum_row(int lane, int e) { return e / 2 * 8 + lane / 4; }
static inline int sum_column(int lane, int e) { return lane % 4 * 2 + e % 2; }
