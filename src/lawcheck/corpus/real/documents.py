"""Document filters that our task files name with `!function`; one file serves several tasks."""

from lawcheck.corpus.real.harness import rows_of

headqa = rows_of("slices_headqa")
chebi20 = rows_of("slices_chebi20")
mol_true_false = rows_of("slices_mol_true_false")
npee_choice = rows_of("slices_npee_choice")
apstudy = rows_of("slices_apstudy")
legalbench = rows_of("slices_legalbench")
fineval = rows_of("slices_fineval")
medqa = rows_of("slices_medqa")
headqa_science = rows_of("slices_headqa_science")
mmlu_science = rows_of("slices_mmlu_science")
agieval = rows_of("slices_agieval")
