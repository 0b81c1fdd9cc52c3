# Which tests belong to which room of src/lawcheck: make test ROOM=judging (docs: CONTRIBUTING.md).
# A file of tests is in one room; `whole` are those that take a study through several.
files := atomic
declare := structure design estimands shared_estimands scale recipe
proxy_world := proxy_world
methods := task_methods merging merge_folders methods_contract methods_lora_moe methods_lora_moe_memory methods_peers methods_persistence paper_shapes
corpus := world2 mixtures paper_corpus slices slices_data slices_harness token_store
disciplines := paper_tasks domains
planning := golden parents memory plan controls
scores := scores
training := mixing objectives base_build base_muon base_package base_tokenizer origin training_data training_run versatune
evaluation := select_tool likelihood evaluation_model evaluation_run evaluation_architectures sandbox other_tools
judging := replication missing multiverse operating posterior verdict_logic importing pilot stats tasks verdict verdict_schema import_tables import_tools synergy
show := figures labels tables versatune_shown
studies := families merging_shown merging_study published published_audit selector_shown studies
pipeline := selector doctor verify
cli := cli compare notebook pytest_plugin report own_report contributing documentation
whole := render reference sizing bad_scores benchmarks deepspeed fuzz gpu_scale launch_slurm light_install load
whole += numerical_faults security slurm smoke stats_calibration strangers real_model first_minutes

ROOMS := files declare proxy_world methods corpus disciplines planning scores training evaluation \
  judging show studies pipeline cli whole
