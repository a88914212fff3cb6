import VitPatch

// usage: Heads MODEL CLEAN.png CORRUPTED.png
//
// Restores each head's z, one at a time, in the corrupted image's pass, and prints by how much the probability of the
// clean image's class rises: one line per layer, one column per head.

let arguments = CommandLine.arguments
guard arguments.count == 4 else {
    print("usage: Heads MODEL CLEAN.png CORRUPTED.png")
    throw CommandError.usage
}

enum CommandError: Error { case usage }

let model = try VisionTransformer(folder: arguments[1])
let places = (0..<model.layers).flatMap { layer in (0..<model.heads).map { (layer: layer, head: $0) } }
let results = try model.run(
    places.map { ActivationPatch(.z, layers: [$0.layer], heads: [$0.head]) },
    clean: [try model.pixels(file: arguments[2])], corrupted: [try model.pixels(file: arguments[3])])

print("p \(results.clean[0].probability) clean, \(results.corrupted[0].probability) corrupted")
print("class \(model.classes[results.clean[0].prediction])")
for layer in 0..<model.layers {
    let row = results.effects[(layer * model.heads)..<((layer + 1) * model.heads)]
    print("L\(layer)", row.map { "\($0[0])" }.joined(separator: " "))
}
