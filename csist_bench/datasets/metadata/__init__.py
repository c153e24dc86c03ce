"""What a set tells of itself to people and catalogues: a data card, Croissant and RO-Crate metadata.

They lie beside the data and hold no date of their own and nothing of the machine: the same set gives the same bytes. No
digest and no reader of a set looks at them.
"""
