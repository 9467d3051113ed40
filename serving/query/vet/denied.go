package vet

// Why functions are refused.
const (
	files      = "it reads files of the server"
	net        = "it opens connections"
	others     = "it shows other queries or sessions"
	server     = "it shows the server's state or environment"
	catalogs   = "it reads tables or dictionaries by name"
	waits      = "it spends time on purpose"
	textIsCode = "it runs a text as SQL"
	internal   = "it is a part of the engine's own working"
	stateful   = "its result depends on more than its arguments"
	tests      = "it is for tests of the engine"
	remakes    = "it remakes queries"
)

// deniedScalars are the scalar and aggregate functions that are refused; aliases follow.
var deniedScalars = map[string]string{
	"file": files, "filesystemAvailable": files, "filesystemCapacity": files, "filesystemUnreserved": files,
	"catboostEvaluate": files, "showCertificate": files,
	"addressToLine": files, "addressToLineWithInlines": files, "addressToSymbol": files, "demangle": internal, "flameGraph": internal,
	"naiveBayesClassifier": files, "naiveBayesClassifierWithAllProbs": files, "naiveBayesClassifierWithProb": files, "naiveBayesNgrams": files,

	"aiClassify": net, "aiEmbed": net, "aiExtract": net, "aiGenerate": net, "aiTranslate": net,

	"queryID": others, "initialQueryID": others, "currentQueryID": others, "initialQueryStartTime": others, "connectionId": others,
	"transactionID": others, "transactionLatestSnapshot": others, "transactionOldestSnapshot": others,
	"currentProfiles": others, "currentRoles": others, "defaultProfiles": others, "defaultRoles": others, "enabledProfiles": others,
	"enabledRoles": others, "authenticatedUser": others, "getClientHTTPHeader": others,
	// These stand for the caller's own, or for the same of every server; see Constants.
	"currentUser": others, "currentDatabase": others, "currentSchemas": others,
	"FQDN": server, "hostName": server, "displayName": server, "revision": server,

	"serverUUID": server, "buildId": server, "uptime": server,
	"tcpPort": server, "getServerPort": server, "getServerSetting": server, "getSetting": server, "getSettingOrDefault": server,
	"getMergeTreeSetting": server, "getMacro": server, "getOSKernelVersion": server, "getMaxTableNameLengthForDatabase": server,
	"globalVariable": server, "shardCount": server, "shardNum": server, "zookeeperSessionUptime": server, "chdb": server,
	"tid": server, "logTrace": server, "hasThreadFuzzer": server,

	"joinGet": catalogs, "joinGetOrNull": catalogs, "hasColumnInTable": catalogs, "evalMLMethod": catalogs,
	"regionHierarchy": catalogs, "regionIn": catalogs, "regionToArea": catalogs, "regionToCity": catalogs, "regionToContinent": catalogs,
	"regionToCountry": catalogs, "regionToDistrict": catalogs, "regionToName": catalogs, "regionToPopulation": catalogs, "regionToTopContinent": catalogs,
	"mergeTreePartInfo": catalogs, "isMergeTreePartCoveredBy": catalogs,

	"sleep": waits, "sleepEachRow": waits,

	// The engine evaluates the parameters in the text: arrayReduce('groupConcat(file(''…''))', …).
	"arrayReduce": textIsCode, "arrayReduceInRanges": textIsCode, "initializeAggregation": textIsCode,
	"structureToCapnProtoSchema": textIsCode, "structureToProtobufSchema": textIsCode, "estimateCompressionRatio": textIsCode,

	"fuzzQuery": remakes, "obfuscateQuery": remakes, "obfuscateQueryWithSeed": remakes, "highlightQuery": remakes, "tokenizeQuery": remakes,
	"formatQuery": remakes, "formatQueryOrNull": remakes, "formatQuerySingleLine": remakes, "formatQuerySingleLineOrNull": remakes,

	"generateSerialID": stateful, "timeSeriesStoreTags": stateful, "timeSeriesIdToTags": stateful, "timeSeriesIdToGroup": stateful,
	"timeSeriesGroupToTags": stateful, "timeSeriesTagsToGroup": stateful, "timeSeriesCopyTag": stateful, "timeSeriesCopyTags": stateful,
	"timeSeriesExtractTag": stateful, "timeSeriesJoinTags": stateful, "timeSeriesRemoveAllTagsExcept": stateful,
	"timeSeriesRemoveTag": stateful, "timeSeriesRemoveTags": stateful, "timeSeriesReplaceTag": stateful,
	"timeSeriesGroupToSamplingKey": stateful, "timeSeriesThrowDuplicateSeriesIf": stateful,

	"aggThrow": tests,
}

// deniedPrefixes refuse whole families, known ones and ones to come.
var deniedPrefixes = map[string]string{"__": internal, "dict": catalogs}

// allowedTables are the table functions that may be called: they make rows of their
// arguments. All others are refused.
var allowedTables = map[string]bool{
	"numbers": true, "numbers_mt": true, "zeros": true, "zeros_mt": true, "primes": true,
	"generateSeries": true, "generate_series": true, "values": true, "SQLStandardValues": true, "null": true,
}

// tableReason is why a table function is refused.
const tableReason = "it reads what is neither a stream nor a view"

// deniedColumns are columns of the engine's own that name files of the server.
var deniedColumns = map[string]bool{"_path": true, "_file": true, "_etag": true}
