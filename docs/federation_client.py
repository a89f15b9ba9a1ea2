"""A client of Breakwater's federation in numpy: python federation_client.py SERVER ID ROWS.csv
ROWS.csv holds a row for each second: its numbers in the order of the server's shape.features, separated by commas."""
import json, struct, sys, time, urllib.request, zlib
import numpy as np

server, name, path = sys.argv[1:4]
rows = np.loadtxt(path, delimiter=",")

def ask(method, path, body=None, kind="application/json"):
    with urllib.request.urlopen(urllib.request.Request(server + path, body, {"Content-Type": kind}, method=method)) as answer:
        return answer.read()

def parameters(version):
    message = ask("GET", f"/api/fl/parameters/{version}")
    count, checksum = struct.unpack("<II", message[8:16])
    assert message[:8] == b"BWPARAM\x01" and zlib.crc32(message[16:]) == checksum
    return np.frombuffer(message, "<f4", count, 16).astype(float)

def parts(shape):  # vectors of block means, scaled: 70 % to train on, 15 % to set the threshold by, 15 % held out
    blocks, stride = shape["context"]["blocks"], shape["context"]["stride"]
    x = np.lib.stride_tricks.sliding_window_view(rows, blocks * stride, 0)
    x = x.reshape(len(x), -1, blocks, stride).mean(3).transpose(0, 2, 1).reshape(len(x), -1)
    n, spread = len(x), x[:len(x) * 7 // 10].std(0)
    x = np.clip((x - x[:n * 7 // 10].mean(0)) / np.where(spread > 0, spread, 1), -50, 50)
    return np.split(x, [n * 7 // 10, n * 85 // 100])

def layers(params, shape):  # views of each layer's weights (inputs × outputs) and biases
    width, at, views = len(shape["features"]) * shape["context"]["blocks"], 0, []
    for i, o in zip([width, *shape["hidden"]], [*shape["hidden"], width]):
        views.append((params[at:at + i * o].reshape(i, o), params[at + i * o:at + (i + 1) * o]))
        at += (i + 1) * o
    return views

def forward(net, x):  # what lies before and after each layer
    values = [x]
    for w, b in net[:-1]:
        values.append(np.tanh(values[-1] @ w + b))
    return [*values, values[-1] @ net[-1][0] + net[-1][1]]

def train(params, task):  # Adam on the mean squared error
    lesson, begin, m, v, step = task["training"], params.copy(), np.zeros_like(params), np.zeros_like(params), 0
    for epoch in range(lesson["epochs"]):
        x = np.random.permutation(parts(task["shape"])[0])
        for batch in np.array_split(x, -(-len(x) // lesson["batch"])):
            net, grad = layers(params, task["shape"]), np.zeros_like(params)
            values = forward(net, batch + lesson["input_noise"] * np.random.randn(*batch.shape))
            delta = 2 * (values[-1] - batch) / batch.size
            for n, (w, b) in reversed(list(enumerate(layers(grad, task["shape"])))):
                w[:], b[:] = values[n].T @ delta, delta.sum(0)
                delta = delta @ net[n][0].T * (1 - values[n] ** 2)
            step, grad = step + 1, grad + lesson["proximal"] * (params - begin)
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad ** 2
            params -= lesson["rate"] * (m / (1 - 0.9 ** step)) / (np.sqrt(v / (1 - 0.999 ** step)) + 1e-8)
    change, clip = params - begin, lesson["clipping_norm"]
    return change * min(1, clip / np.linalg.norm(change)) if clip else change

def evaluate(task):
    _, usual, held = parts(task["shape"])
    fake, features, report = held.copy(), len(task["shape"]["features"]), {"held_out": len(held), "injected": len(held)}
    fake[np.arange(len(fake)), np.arange(len(fake)) % features - features] += 4
    for version, suffix in (task["base_version"], "_before"), (task["candidate_version"], ""):
        net = layers(parameters(version), task["shape"])
        score = lambda x: ((forward(net, x)[-1] - x) ** 2).mean(1)
        over = lambda x: int((score(x) > np.quantile(score(usual), 0.999)).sum())
        report |= {"loss" + suffix: score(held).mean(), "false_alarms" + suffix: over(held), "injected_found": over(fake)}
    return report | {"attacks": 0, "attacks_found_before": 0, "attacks_found": 0}

while True:
    task = json.loads(ask("POST", "/api/fl/join", json.dumps({"id": name, "facility_id": name, "examples": len(rows)}).encode()))
    if task["do"] == "train":
        body = train(parameters(task["base_version"]), task).astype("<f4").tobytes()
        ask("PUT", f"/api/fl/rounds/{task['round_id']}/updates/{name}?examples={min(len(rows), 20000)}",
            b"BWPARAM\x01" + struct.pack("<II", len(body) // 4, zlib.crc32(body)) + body, "application/octet-stream")
    elif task["do"] == "evaluate":
        ask("PUT", f"/api/fl/rounds/{task['round_id']}/evaluations/{name}", json.dumps(evaluate(task)).encode())
    time.sleep(min(task["ask_again_seconds"], 1))
