// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "heads",
    dependencies: [.package(name: "vitpatch", path: "../..")],
    targets: [.executableTarget(name: "Heads", dependencies: [.product(name: "VitPatch", package: "vitpatch")])],
    swiftLanguageModes: [.v6]
)
