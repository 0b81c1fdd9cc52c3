"""How an arm is trained: one module per method, found by lawcheck.declare.discovery.

A method module declares METHOD (lawcheck.methods.base.Method) and offers

    build(model, design, settings, seed, experts) -> model ready to train
    save(model, folder)                              safetensors only; the caller makes it atomic
    load(base_model, folder) -> model to evaluate
    trainable_parameters(shapes, design, settings) -> int     arithmetic, no torch
    added_parameters(shapes, design, settings) -> int         trained or not

Importing a method module needs the standard library only.
"""
