internal import Application
internal import ArgumentParser

/// The entry point: prepares the process, then hands over to the commands.
@main
enum Main {
    static func main() async {
        ProcessSetup.ignoreBrokenPipes()
        await Striketape.main()
    }
}
