// Runs a shared library step (vars/*.groovy) outside Jenkins, with the Groovy that Jenkins has: its steps are closures
// here, and `sh` runs what it is given as Jenkins does. What Jenkins' own interpreter (CPS) adds is not tried.
// argv: the file, the secret of every credential, the options as key=value.
def (file, secret) = [args[0], args[1]]
def options = args.drop(2).collectEntries { one ->
    def (key, value) = one.split('=', 2)
    [key, value in ['true', 'false'] ? value.toBoolean() : value]
}
def variables = new LinkedHashMap(System.getenv())
def step = new GroovyShell(new Binding()).parse(new File(file))

step.binding.env = variables
step.binding.string = { Map given -> given }
step.binding.withCredentials = { List bindings, Closure body ->
    bindings.each { variables[it.variable] = secret }
    body()
    bindings.each { variables.remove(it.variable) }
}
step.binding.withEnv = { List added, Closure body ->
    def before = new LinkedHashMap(variables)
    added.each { one -> def (key, value) = one.toString().split('=', 2); variables[key] = value }
    body()
    variables.clear()
    variables.putAll(before)
}
step.binding.error = { message -> throw new IllegalStateException(message.toString()) }
step.binding.unstable = { message -> println "UNSTABLE ${message}" }
step.binding.sh = { Map given ->
    def script = File.createTempFile('script', '.sh')
    script.deleteOnExit()
    script.text = given.script
    def builder = new ProcessBuilder('sh', '-xe', script.path).inheritIO()
    builder.environment().clear()
    builder.environment().putAll(variables)
    def code = builder.start().waitFor()
    if (!given.returnStatus && code != 0) throw new IllegalStateException("script returned exit code ${code}")
    given.returnStatus ? code : null
}
try {
    println "RETURNED ${step.call(options)}"
} catch (IllegalStateException error) {
    println "ERROR ${error.message}"
    System.exit(1)
}
