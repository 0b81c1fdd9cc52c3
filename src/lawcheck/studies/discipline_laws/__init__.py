"""Multi-discipline fine-tuning (Wang et al.): six laws, eight tables, six figures."""
