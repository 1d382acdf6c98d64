"""Rival explanations of one network: characters, cosets, ρ-sets, clock and pizza.

Kernels take a network's weights and return how much of it an explanation holds: shares
of neurons, idealised networks, certificates, interventions. They see no files and no
run axis; `repjax.rivals` applies them to all runs of a cell. Shares of the logits that
are followed along training stand in `repjax.analysis.explained`.
"""
