"""What `eagerdl demo` runs: `by_hand` from raw ops, `by_fit` with layers and `fit`, `letters` with an LSTM."""
