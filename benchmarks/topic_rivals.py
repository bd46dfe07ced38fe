"""Topics by BERTopic, evoc and k-means, from vectors that are given: run by topics.py in an environment of their own.

    python benchmarks/topic_rivals.py METHOD VECTORS.npz OUT.json

VECTORS.npz holds `vectors`, `contents` and `classes` (how many there are in truth). OUT.json gets the labels, the CPU
seconds from importing the method to its labels, and the most memory the process took, in bytes. Whatever a library
compiles at first use is compiled on a small sample before, and counted apart.
"""

import json
import os
import resource
import sys
import time


def bertopic(vectors, contents, classes):
    from bertopic import BERTopic

    return BERTopic(embedding_model=None).fit_transform(contents, vectors)[0]


def evoc(vectors, contents, classes):
    import evoc as library

    return library.EVoC().fit_predict(vectors)


def kmeans(vectors, contents, classes):
    from sklearn.cluster import KMeans

    return KMeans(classes, n_init=3, random_state=0).fit_predict(vectors)


METHODS = {"bertopic": bertopic, "evoc": evoc, "kmeans": kmeans}


def main():
    import numpy as np

    method, given, out = sys.argv[1:]
    stored = np.load(given, allow_pickle=True)
    vectors, contents = stored["vectors"].astype("float32"), [str(text) for text in stored["contents"]]
    run = METHODS[method]
    started = time.process_time()
    if method != "kmeans":
        run(vectors[:1000], contents[:1000], 2)
    compiling = time.process_time() - started
    started = time.process_time()
    labels = run(vectors, contents, int(stored["classes"]))
    seconds = time.process_time() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {"labels": [int(label) for label in labels], "cpu_seconds": seconds, "compiling": compiling, "bytes": most}
    with open(out, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
