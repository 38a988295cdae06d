"""How a compressed file is read in stretches, so that damage in one does not cost the next.

Each compression proves a unit of its own to be whole, and that unit is what damage costs: a gzip
member, a zstd frame, a bzip2 block, an xz block. `nativize.crawl.members` chooses among them.
"""
