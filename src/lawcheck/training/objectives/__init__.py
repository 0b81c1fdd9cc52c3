"""What a run learns: one module per objective, found by lawcheck.declare.discovery.

An objective module has OBJECTIVE and three functions; importing it loads no torch.

encode(tokenizer, rows, max_length, known=None) -> lawcheck.corpus.encoding.Encoded: the tokens,
and which of them carry loss. known: (prompt, response) -> sample, kept by the caller; may be
ignored.
counts(batch) -> (n terms,) what each term of the loss is a mean over, counted in a micro-batch.
loss(tokens, beta) -> (n terms,) sums over a micro-batch (lawcheck.training.learnt.Tokens). A
step's loss is the sum over terms of sums / counts, both taken over all micro-batches of all
processes, so that neither accumulation nor the number of processes changes it.
denominators(counts) -> (n terms,), if a module has it: what the sums are divided by instead.
"""
