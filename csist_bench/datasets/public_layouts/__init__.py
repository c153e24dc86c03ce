"""The folder layouts of the public data sets, in and out: pictures and XML annotations.

`published` is that of SeqCSIST, `{split}/image/image_{i}.png` and `{split}/annotation/COS{i}.xml`; `csist-100k` that
of CSIST-100K, `{split}/cso_img/image_{i}.png` and `{split}/Annotations/CSO{i}.xml`.
"""
