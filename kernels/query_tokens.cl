// The queries of attention's kernels: all tokens in order, or a list.

// Query token i of a list, or i where there is no list.
static inline int token(__global const int *tokens, int i) { return tokens ? tokens[i] : i; }

// One patch of `pattern`: query tokens of one head of one pass. As PatternEntry in Attention.swift
typedef struct {
  int from, to;            // slots: whose pattern, and whose values and z
  int head;
  int tokens, tokenCount;  // where in `lists` the query tokens stand, and how many they are
} PatternEntry;

